/*
 * Loaded into Asterisk before PJSIP: looks at every message that came, once it is parsed and before anything else does.
 *
 * A Record-Route that names no SIP address (RFC 3261, section 20.30, with 19.1) leads nowhere, and is taken out:
 * whoever sent it is answered as if it had not been there, phones, trunks and strangers alike.
 *
 * A REGISTER (section 10.2) binds one address, the first: it is the one that Asterisk replaces by where the request came
 * from. What else is named in it could be anybody's.
 *
 * And at what goes out: a 503 whose cause (RFC 3326) is congestion of the exchange, 42, says how long (RFC 3261, section
 * 20.33). The dialplan says it to carriers when there are too many calls, and cannot add a header to an answer.
 *
 * Only the beginnings of PJSIP's structures are written down here; they are part of its programming interface
 * (pjsip/sip_msg.h, pjsip/sip_uri.h) and the same in all of its 2.x versions. No header of the system's is included,
 * so that any C compiler will do.
 */

struct text {
    char *at;
    long length;
};

struct uri {
    const struct {
        const struct text *(*scheme)(const void *uri);
    } *does;
};

struct header {
    struct header *before, *after;
    int kind;
    struct text name, short_name;
    const void *does;
};

struct route {
    struct header header;
    /* A name and an address. */
    const void *does;
    struct text display;
    struct uri *uri;
};

struct message {
    /* 0 for a request. */
    int kind;
    struct {
        int number;
        struct text name;
    } method;
};

typedef void *parser(char *packet, unsigned long length, void *received);
typedef long printer(const void *message, char *buffer, unsigned long size);

extern void *dlsym(void *library, const char *name);
extern void *pjsip_msg_find_hdr_by_name(const void *message, const struct text *name, const void *from);

#define NEXT_LIBRARY ((void *)-1L)

static int is_sip(const struct uri *uri)
{
    const struct text *scheme;

    if (!uri) {
        return 0;
    }
    /* Of a SIP URI these very letters, however it was written; of any other, what was written. */
    scheme = uri->does->scheme(uri);
    return (scheme->length == 3 || (scheme->length == 4 && scheme->at[3] == 's'))
        && scheme->at[0] == 's' && scheme->at[1] == 'i' && scheme->at[2] == 'p';
}

static int is_register(const struct message *message)
{
    static const char name[] = "REGISTER";
    int n;

    if (message->kind != 0 || message->method.name.length != 8) {
        return 0;
    }
    for (n = 0; n < 8; n++) {
        if (message->method.name.at[n] != name[n]) {
            return 0;
        }
    }
    return 1;
}

static void take_out(struct header *header)
{
    header->before->after = header->after;
    header->after->before = header->before;
}

static void keep_first(const void *message, const struct text *name)
{
    struct header *first, *other;

    first = pjsip_msg_find_hdr_by_name(message, name, (void *)0);
    while (first && (other = pjsip_msg_find_hdr_by_name(message, name, first->after))) {
        take_out(other);
    }
}

void *pjsip_parse_rdata(char *packet, unsigned long length, void *received)
{
    static parser *parse;
    struct text name = {"Record-Route", 12}, contact = {"Contact", 7};
    struct route *found, *after;
    void *message;

    if (!parse) {
        parse = (parser *)dlsym(NEXT_LIBRARY, "pjsip_parse_rdata");
    }
    message = parse(packet, length, received);
    if (!message) {
        return message;
    }
    for (found = pjsip_msg_find_hdr_by_name(message, &name, (void *)0); found; found = after) {
        after = (struct route *)found->header.after;
        if (!is_sip(found->uri)) {
            take_out(&found->header);
        }
        after = pjsip_msg_find_hdr_by_name(message, &name, after);
    }
    if (is_register(message)) {
        keep_first(message, &contact);
    }
    return message;
}

/* Where a text begins in another; -1 where it does not. */
static long find(const char *in, long length, const char *text, long its_length)
{
    long at, n;

    for (at = 0; at + its_length <= length; at++) {
        for (n = 0; n < its_length && in[at + n] == text[n]; n++) {
        }
        if (n == its_length) {
            return at;
        }
    }
    return -1;
}

long pjsip_msg_print(const void *message, char *buffer, unsigned long size)
{
    static printer *print;
    static const char status[] = "SIP/2.0 503 ", cause[] = ";cause=42", added[] = "Retry-After: 10\r\n";
    const long more = sizeof(added) - 1;
    long length, line, n;

    if (!print) {
        print = (printer *)dlsym(NEXT_LIBRARY, "pjsip_msg_print");
    }
    length = print(message, buffer, size);
    if (length < (long)sizeof(status) || find(buffer, sizeof(status) - 1, status, sizeof(status) - 1) != 0
        || find(buffer, length, cause, sizeof(cause) - 1) < 0 || (unsigned long)(length + more) >= size) {
        return length;
    }
    line = find(buffer, length, "\r\n", 2) + 2;
    if (line < 2) {
        return length;
    }
    /* With the zero at its end. */
    for (n = length; n >= line; n--) {
        buffer[n + more] = buffer[n];
    }
    for (n = 0; n < more; n++) {
        buffer[line + n] = added[n];
    }
    return length + more;
}
