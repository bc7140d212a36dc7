/*
 * What happens within calls. A request that nothing in Asterisk answers gets its answer here: a phone that hears nothing
 * takes the call for dead and ends it (RFC 3261, section 12.2.1.2). And a key that a phone or gateway sends twice, by INFO
 * and as an RFC 4733 event, is pressed once; whichever comes first counts.
 */

#include "guard.h"

typedef void handler(void *dialog, void *received);
typedef void lock_changer(void *dialog);
typedef void *finder(void *received);
typedef int creator(void *dialog, void *received, int status, const struct text *reason, void **response);
typedef int response_sender(void *dialog, void *transaction, void *response);
typedef int on_response(void *response);

struct moment {
    long s, ns;
};

/* As large as any; zero is unlocked. */
union mutex {
    char room[64];
    long long align;
};

extern int pthread_mutex_lock(union mutex *mutex);
extern int pthread_mutex_unlock(union mutex *mutex);
extern unsigned long pthread_self(void);
extern int clock_gettime(int clock, struct moment *moment);
extern int getsockname(int socket, void *address, unsigned *length);

#define MONOTONIC 1

static union mutex lock;

/* ---- Requests without an answer ---- */

/* A request within a call that a thread handles: whether a final response was written meanwhile, and to which method. */
static struct asked {
    struct asked *next;
    unsigned long thread;
    int answered;
    char method[16];
} *handled;

static void note_response(const char *text, long length)
{
    unsigned long thread = pthread_self();
    struct asked *one;
    long at, n;

    if (!handled || length < 12 || guard_find(text, 8, "SIP/2.0 ", 8) != 0 || text[8] == '1') {
        return;
    }
    at = guard_find(text, length, "\r\nCSeq: ", 8);
    for (at += 8; at < length && text[at] != ' '; at++) {
    }
    pthread_mutex_lock(&lock);
    for (one = handled; one && one->thread != thread; one = one->next) {
    }
    if (one) {
        one->answered = 1;
        for (n = 0; n < (long)sizeof(one->method) - 1 && ++at < length && text[at] >= 'A' && text[at] <= 'Z'; n++) {
            one->method[n] = text[at];
        }
        one->method[n] = 0;
    }
    pthread_mutex_unlock(&lock);
}

static int is(const char *one, const char *other)
{
    for (; *one && *one == *other; one++, other++) {
    }
    return *one == *other;
}

/* The status for a method that nobody takes; 0 for those that are answered later, or by the dialog itself. */
static int refusal_of(const char *method)
{
    static const char *const later[] = {"INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK"};
    int n;

    for (n = 0; n < (int)(sizeof(later) / sizeof(later[0])); n++) {
        if (is(method, later[n])) {
            return 0;
        }
    }
    if (is(method, "INFO")) {
        /* Of a type that means nothing here (RFC 6086, section 4.2.2). */
        return 415;
    }
    if (is(method, "SUBSCRIBE") || is(method, "PUBLISH")) {
        return 489;
    }
    /* There is no subscription that it could tell of (RFC 6665, section 4.1.3). */
    return is(method, "NOTIFY") ? 481 : 405;
}

static void refuse(void *dialog, void *received, const struct asked *one)
{
    static finder *transaction_of;
    static creator *create;
    static response_sender *send;
    static on_response *write, *drop;
    void *transaction, *response;
    int status;

    if (!drop) {
        transaction_of = (finder *)dlsym(ALL_LIBRARIES, "pjsip_rdata_get_tsx");
        create = (creator *)dlsym(ALL_LIBRARIES, "pjsip_dlg_create_response");
        send = (response_sender *)dlsym(ALL_LIBRARIES, "pjsip_dlg_send_response");
        write = (on_response *)dlsym(ALL_LIBRARIES, "pjsip_tx_data_encode");
        drop = (on_response *)dlsym(ALL_LIBRARIES, "pjsip_tx_data_dec_ref");
    }
    transaction = transaction_of(received);
    if (!transaction || create(dialog, received, 405, (void *)0, &response) != 0) {
        return;
    }
    /* Written, it tells the method, which note_response reads. */
    write(response);
    status = refusal_of(one->method);
    if (status == 405) {
        send(dialog, transaction, response);
        return;
    }
    drop(response);
    if (status && create(dialog, received, status, (void *)0, &response) == 0) {
        send(dialog, transaction, response);
    }
}

void pjsip_dlg_on_rx_request(void *dialog, void *received)
{
    static handler *handle;
    static lock_changer *take, *leave;
    struct asked one = {0}, **place;

    if (!handle) {
        take = (lock_changer *)dlsym(ALL_LIBRARIES, "pjsip_dlg_inc_lock");
        leave = (lock_changer *)dlsym(ALL_LIBRARIES, "pjsip_dlg_dec_lock");
        handle = (handler *)dlsym(NEXT_LIBRARY, "pjsip_dlg_on_rx_request");
    }
    one.thread = pthread_self();
    pthread_mutex_lock(&lock);
    one.next = handled;
    handled = &one;
    pthread_mutex_unlock(&lock);
    /* The dialog stays until its answer is sent. */
    take(dialog);
    handle(dialog, received);
    if (!one.answered) {
        refuse(dialog, received, &one);
    }
    leave(dialog);
    pthread_mutex_lock(&lock);
    for (place = &handled; *place != &one; place = &(*place)->next) {
    }
    *place = one.next;
    pthread_mutex_unlock(&lock);
}

/* ---- Keys that come twice ---- */

/* A gateway's INFO follows its event by so much at most, or goes before it, in milliseconds. */
#define TWICE_MS 800
#define PORTS 65536
#define CALLS 4096
#define PRESSES 8

enum way { NONE, BY_INFO, BY_EVENT };

/* What was pressed in a call, by the port of its media: what came one way only, so far. */
static struct presses {
    struct {
        enum way by;
        int key;
        long at_ms;
    } waiting[PRESSES];
    /* The event that is going on, by its timestamp; and whether it is a repetition. */
    unsigned event;
    int has_event, is_repeated, place;
    /* Of the last INFO, which may be sent again. */
    long sequence;
} pressed[PORTS];

/* Which port a call's media is at, by its Call-ID. */
static struct {
    unsigned long long call;
    int port;
} ports[CALLS];

static long now_ms(void)
{
    struct moment moment;

    clock_gettime(MONOTONIC, &moment);
    return moment.s * 1000 + moment.ns / 1000000;
}

static unsigned long long hash_of(const char *text, long length)
{
    unsigned long long hash = 14695981039346656037ULL;

    while (length-- > 0) {
        hash = (hash ^ (unsigned char)*text++) * 1099511628211ULL;
    }
    return hash ? hash : 1;
}

/* Where a key is among those that wait for their repetition; -1 where it is one, whose first is taken away. */
static int place_of(struct presses *call, enum way by, int key)
{
    long now = now_ms(), oldest = now + 1;
    int n, first = -1, free = 0;

    for (n = 0; n < PRESSES; n++) {
        if (call->waiting[n].by && now - call->waiting[n].at_ms > TWICE_MS) {
            call->waiting[n].by = NONE;
        }
        if (call->waiting[n].by && call->waiting[n].by != by && call->waiting[n].key == key
            && (first < 0 || call->waiting[n].at_ms < call->waiting[first].at_ms)) {
            first = n;
        }
        if (!call->waiting[n].by) {
            free = n;
            oldest = 0;
        } else if (call->waiting[n].at_ms < oldest) {
            free = n;
            oldest = call->waiting[n].at_ms;
        }
    }
    if (first >= 0) {
        call->waiting[first].by = NONE;
        return -1;
    }
    call->waiting[free].by = by;
    call->waiting[free].key = key;
    call->waiting[free].at_ms = now;
    return free;
}

/* An SDP of ours: the call's media is at this port. */
static void note_port(const char *text, long length)
{
    long at = guard_find(text, length, "\r\nCall-ID: ", 11), end, port = 0, media;
    unsigned long long call;

    media = guard_find(text, length, "\r\nm=audio ", 10);
    if (at < 0 || media < 0) {
        return;
    }
    for (at += 11, end = at; end < length && text[end] != '\r'; end++) {
    }
    for (media += 10; media < length && text[media] >= '0' && text[media] <= '9' && port < PORTS; media++) {
        port = port * 10 + text[media] - '0';
    }
    if (port <= 0 || port >= PORTS) {
        return;
    }
    call = hash_of(text + at, end - at);
    pthread_mutex_lock(&lock);
    if (ports[call % CALLS].call != call || ports[call % CALLS].port != port) {
        ports[call % CALLS].call = call;
        ports[call % CALLS].port = (int)port;
        pressed[port] = (struct presses){0};
    }
    pthread_mutex_unlock(&lock);
}

/* The key of an INFO (application/dtmf-relay, application/dtmf) as RFC 4733 numbers it; -1 for none. */
static int key_of(const char *packet, long length)
{
    long body = guard_find(packet, length, "\r\n\r\n", 4), at;
    int key = -1;

    if (body < 0 || guard_find(packet, body, "application/dtmf", 16) < 0) {
        return -1;
    }
    at = body + 4;
    if (guard_find(packet, body, "application/dtmf-relay", 22) >= 0) {
        at = guard_find(packet + body, length - body, "ignal", 5);
        if (at < 0) {
            return -1;
        }
        for (at += body + 5; at < length && (packet[at] == ' ' || packet[at] == '='); at++) {
        }
    }
    if (at < length && packet[at] == '*') {
        return 10;
    }
    if (at < length && packet[at] == '#') {
        return 11;
    }
    if (at < length && packet[at] >= 'A' && packet[at] <= 'D') {
        return 12 + packet[at] - 'A';
    }
    for (; at < length && packet[at] >= '0' && packet[at] <= '9' && key < 16; at++) {
        key = (key < 0 ? 0 : key * 10) + packet[at] - '0';
    }
    return key < 16 ? key : -1;
}

void guard_look_at_request(struct message *message, const char *packet, long length)
{
    struct text call_name = {"Call-ID", 7};
    struct string_header *call_id;
    unsigned long long call;
    struct presses *at;
    long sequence, n;
    int key;

    if (!guard_is_method(message, "INFO") || (key = key_of(packet, length)) < 0) {
        return;
    }
    call_id = pjsip_msg_find_hdr_by_name(message, &call_name, (void *)0);
    if (!call_id) {
        return;
    }
    n = guard_find(packet, length, "\r\nCSeq:", 7);
    sequence = n < 0 ? 0 : (long)(hash_of(packet + n, length - n < 24 ? length - n : 24) >> 1);
    call = hash_of(call_id->value.at, call_id->value.length);
    pthread_mutex_lock(&lock);
    if (ports[call % CALLS].call == call) {
        at = &pressed[ports[call % CALLS].port];
        if (at->sequence != sequence) {
            at->sequence = sequence;
            if (place_of(at, BY_INFO, key) < 0) {
                /* Without its body it is answered, and is nothing. */
                message->body = (void *)0;
            }
        }
    }
    pthread_mutex_unlock(&lock);
}

int guard_is_key_repeated(int socket, const unsigned char *data, long length)
{
    unsigned char address[128];
    unsigned size = sizeof(address), timestamp;
    struct presses *call;
    int repeated;

    /* RTP, version 2, of a dynamic type, with the four bytes of an event: of any audio they would be half a millisecond. */
    if (length != 16 || data[0] != 0x80 || (data[1] & 0x7f) < 96 || data[12] > 15
        || getsockname(socket, address, &size) != 0) {
        return 0;
    }
    timestamp = (unsigned)data[4] << 24 | (unsigned)data[5] << 16 | (unsigned)data[6] << 8 | data[7];
    call = &pressed[address[2] << 8 | address[3]];
    pthread_mutex_lock(&lock);
    if (!call->has_event || call->event != timestamp) {
        call->has_event = 1;
        call->event = timestamp;
        call->place = place_of(call, BY_EVENT, data[12]);
        call->is_repeated = call->place < 0;
    } else if (!call->is_repeated && call->waiting[call->place].by == BY_EVENT
        && call->waiting[call->place].key == data[12]) {
        /* As long as the key is held, its INFO is still to come. */
        call->waiting[call->place].at_ms = now_ms();
    }
    repeated = call->is_repeated;
    pthread_mutex_unlock(&lock);
    return repeated;
}

/* ---- All that comes and goes ---- */

/* Telephone events whose clock is not the audio's (48 kHz, of a phone that would rather speak Opus) are agreed all the same:
 * a rate is only how long a key is held. */
void guard_look_at_packet(char *packet, long length)
{
    static const char fast[] = "telephone-event/48000", usual[] = "telephone-event/8000";
    long at, body = guard_find(packet, length, "\r\n\r\n", 4);

    if (body < 0 || guard_find(packet + body, length - body, usual, sizeof(usual) - 1) >= 0) {
        return;
    }
    at = guard_find(packet + body, length - body, fast, sizeof(fast) - 1);
    if (at >= 0) {
        /* As many characters, and the same number to whoever reads it. */
        at += body + (long)sizeof(fast) - 6;
        packet[at] = '0';
        packet[at + 1] = '8';
    }
}

void guard_look_at_written(const char *text, long length)
{
    if (length > 0) {
        note_response(text, length);
        note_port(text, length);
    }
}
