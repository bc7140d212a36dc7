/*
 * Loaded into Asterisk before PJSIP: looks at every message that came, once it is parsed and before anything else does.
 *
 * A Record-Route that names no SIP address (RFC 3261, section 20.30, with 19.1) leads nowhere, and is taken out:
 * whoever sent it is answered as if it had not been there, phones, trunks and strangers alike.
 *
 * A REGISTER (section 10.2) binds one address, the first: it is the one that Asterisk replaces by where the request came
 * from. What else is named in it could be anybody's.
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
