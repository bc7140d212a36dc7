/*
 * Loaded into Asterisk before PJSIP: looks at every message that came, once it is parsed and before anything else does.
 *
 * A Record-Route that names no SIP address (RFC 3261, section 20.30, with 19.1) leads nowhere, and is taken out:
 * whoever sent it is answered as if it had not been there, phones, trunks and strangers alike.
 *
 * A REGISTER (section 10.2) binds one address, the first: it is the one that Asterisk replaces by where the request came
 * from. What else is named in it could be anybody's.
 *
 * An INVITE may name a call that it is to take over (RFC 3891). None does here: who may transfer says so by REFER, and it is
 * an ordinary call to the number that it names.
 *
 * And at what goes out: a 503 whose cause (RFC 3326) is congestion of the exchange, 42, says how long (RFC 3261, section
 * 20.33). The dialplan says it to carriers when there are too many calls, and cannot add a header to an answer.
 *
 * Only the beginnings of PJSIP's structures are written down here; they are part of its programming interface
 * (pjsip/sip_msg.h, pjsip/sip_uri.h) and the same in all of its 2.x versions. No header of the system's is included,
 * so that any C compiler will do. What happens within calls is in guard_calls.c.
 */

#include "guard.h"

typedef void *parser(char *packet, unsigned long length, void *received);
typedef long printer(const void *message, char *buffer, unsigned long size);

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

int guard_is_method(const struct message *message, const char *name)
{
    long n;

    if (message->kind != 0) {
        return 0;
    }
    for (n = 0; n < message->method.name.length && name[n] == message->method.name.at[n] && name[n]; n++) {
    }
    return n == message->method.name.length && !name[n];
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
    struct text name = {"Record-Route", 12}, contact = {"Contact", 7}, replaces = {"Replaces", 8};
    struct route *found, *after;
    struct header *one;
    void *message;

    if (!parse) {
        parse = (parser *)dlsym(NEXT_LIBRARY, "pjsip_parse_rdata");
    }
    guard_look_at_packet(packet, (long)length);
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
    if (guard_is_method(message, "REGISTER")) {
        keep_first(message, &contact);
    }
    if (guard_is_method(message, "INVITE")) {
        while ((one = pjsip_msg_find_hdr_by_name(message, &replaces, (void *)0))) {
            take_out(one);
        }
    }
    guard_look_at_request(message, packet, (long)length);
    return message;
}

long guard_find(const char *in, long length, const char *text, long its_length)
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
    guard_look_at_written(buffer, length);
    if (length < (long)sizeof(status) || guard_find(buffer, sizeof(status) - 1, status, sizeof(status) - 1) != 0
        || guard_find(buffer, length, cause, sizeof(cause) - 1) < 0 || (unsigned long)(length + more) >= size) {
        return length;
    }
    line = guard_find(buffer, length, "\r\n", 2) + 2;
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

/*
 * At media, too. Strict RTP waits for the first audio of a call to learn where it comes from, and whoever is muted does
 * not send any: then a stranger who does would press keys in their place, and they would not be heard from then on. So
 * while Asterisk sends to an address by a socket, it hears on it only that address, and hosts with which it does SIP
 * (restricted latching: RFC 7362, section 5): such as phones behind NAT, whose SDP names an address of their own network.
 * For a moment after a socket was made nothing has been sent by it yet, and only hosts of the latter kind are heard.
 */

/* An address as 128 bits, IPv4 as IPv6 writes it (RFC 4291, section 2.5.5.2). */
struct host {
    unsigned long long high, low;
};

typedef long sender(int socket, const void *data, unsigned long length, int flags, const void *to, unsigned to_length);
typedef long short_sender(int socket, const void *data, unsigned long length, int flags);
typedef long receiver(int socket, void *data, unsigned long length, int flags, void *from, unsigned *from_length);

typedef int maker(int domain, int type, int protocol);

extern long time(long *at);
extern int *__errno_location(void);
extern int getpeername(int socket, void *address, unsigned *length);

#define SOCKETS 65536
#define TOLD_S 5
#define NEW_S 2
#define BUCKETS 8192
#define IN_BUCKET 4
#define LINUX_EAGAIN 11

/* By socket: where media last went, and until when that counts; and until when it is new. */
static struct {
    struct host host;
    long until, new_until;
} told[SOCKETS];

/* Hosts with which we do SIP. Where there are too many, those of which was heard again come back. */
static struct host known[BUCKETS][IN_BUCKET];

static int host_of(const void *address, struct host *host)
{
    const unsigned char *byte = address;
    int count;

    if (!address) {
        return 0;
    }
    host->high = host->low = 0;
    switch (*(const unsigned short *)address) {
    case 2: /* AF_INET */
        host->low = 0xffff;
        byte += 4;
        count = 4;
        break;
    case 10: /* AF_INET6 */
        byte += 8;
        count = 16;
        break;
    default:
        return 0;
    }
    while (count--) {
        host->high = host->high << 8 | host->low >> 56;
        host->low = host->low << 8 | *byte++;
    }
    return 1;
}

static int is_same(const struct host *one, const struct host *other)
{
    return one->low == other->low && one->high == other->high;
}

static struct host *bucket_of(const struct host *host)
{
    unsigned long long mixed = (host->low ^ host->high * 31) * 0x9e3779b97f4a7c15ULL;

    return known[mixed >> 40 & (BUCKETS - 1)];
}

static int is_known(const struct host *host)
{
    const struct host *bucket = bucket_of(host);
    int n;

    for (n = 0; n < IN_BUCKET; n++) {
        if (is_same(&bucket[n], host)) {
            return 1;
        }
    }
    return 0;
}

static void learn(const struct host *host)
{
    static unsigned next;

    if (!is_known(host)) {
        bucket_of(host)[next++ % IN_BUCKET] = *host;
    }
}

/* Whether a message of ours says that we do SIP with whom it goes to: a call or a registration of theirs was accepted,
 * or we call them, or ask whether they are there. */
static int is_to_one_of_ours(const char *text, long length)
{
    long at;

    if (length < 32) {
        return 0;
    }
    if (guard_find(text, 11, "INVITE sip:", 11) == 0 || guard_find(text, 8, "ACK sip:", 8) == 0
        || guard_find(text, 12, "OPTIONS sip:", 12) == 0) {
        return 1;
    }
    if (guard_find(text, 8, "SIP/2.0 ", 8) != 0 || !(text[8] == '2' || (text[8] == '1' && text[9] == '8'))) {
        return 0;
    }
    at = guard_find(text, length, "\r\nCSeq: ", 8);
    if (at < 0) {
        return 0;
    }
    for (at += 8; at < length && text[at] >= '0' && text[at] <= '9'; at++) {
    }
    return guard_find(text + at, length - at < 9 ? length - at : 9, " INVITE\r\n", 9) == 0
        || guard_find(text + at, length - at < 11 ? length - at : 11, " REGISTER\r\n", 11) == 0;
}

static void look_at_sent(int socket, const void *data, long length, const void *to)
{
    struct host host;

    if (!data || length < 12 || !host_of(to, &host)) {
        return;
    }
    if ((*(const unsigned char *)data & 0xc0) != 0x80) {
        if (is_to_one_of_ours(data, length)) {
            learn(&host);
        }
    } else if (socket >= 0 && socket < SOCKETS) {
        /* RTP or RTCP, version 2. */
        told[socket].host = host;
        told[socket].until = time((long *)0) + TOLD_S;
    }
}

long sendto(int socket, const void *data, unsigned long length, int flags, const void *to, unsigned to_length)
{
    static sender *next;

    if (!next) {
        next = (sender *)dlsym(NEXT_LIBRARY, "sendto");
    }
    look_at_sent(socket, data, (long)length, to);
    return next(socket, data, length, flags, to, to_length);
}

/* SIP over TCP. */
long send(int socket, const void *data, unsigned long length, int flags)
{
    static short_sender *next;
    unsigned long peer[16];
    unsigned size = sizeof(peer);

    if (!next) {
        next = (short_sender *)dlsym(NEXT_LIBRARY, "send");
    }
    if (data && is_to_one_of_ours(data, (long)length) && getpeername(socket, peer, &size) == 0) {
        look_at_sent(socket, data, (long)length, peer);
    }
    return next(socket, data, length, flags);
}

int socket(int domain, int type, int protocol)
{
    static maker *next;
    int made;

    if (!next) {
        next = (maker *)dlsym(NEXT_LIBRARY, "socket");
    }
    made = next(domain, type, protocol);
    if (made >= 0 && made < SOCKETS) {
        told[made].until = 0;
        told[made].new_until = time((long *)0) + NEW_S;
    }
    return made;
}

#ifndef HEARD_FROM_ANYWHERE
static int is_strangers(int socket, const void *data, const void *from)
{
    struct host host;
    long now;

    /* What is neither RTP nor RTCP is not looked at. */
    if (socket < 0 || socket >= SOCKETS || (*(const unsigned char *)data & 0xc0) != 0x80 || !host_of(from, &host)) {
        return 0;
    }
    now = time((long *)0);
    if (told[socket].until > now) {
        return !is_same(&host, &told[socket].host) && !is_known(&host);
    }
    return told[socket].new_until > now && !is_known(&host);
}
#endif

long recvfrom(int socket, void *data, unsigned long length, int flags, void *from, unsigned *from_length)
{
    static receiver *next;
    long got;

    if (!next) {
        next = (receiver *)dlsym(NEXT_LIBRARY, "recvfrom");
    }
    got = next(socket, data, length, flags, from, from_length);
#ifndef HEARD_FROM_ANYWHERE
    if (got > 0 && is_strangers(socket, data, from)) {
        /* As if nothing had come. */
        *__errno_location() = LINUX_EAGAIN;
        return -1;
    }
#endif
    if (got > 0 && guard_is_key_repeated(socket, data, got)) {
        *__errno_location() = LINUX_EAGAIN;
        return -1;
    }
    return got;
}
