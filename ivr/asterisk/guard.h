/* What the guard's parts share: the beginnings of PJSIP's structures (pjsip/sip_msg.h, pjsip/sip_uri.h), and each other. */

#define NEXT_LIBRARY ((void *)-1L)
#define ALL_LIBRARIES ((void *)0)

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

struct string_header {
    struct header header;
    struct text value;
};

struct message {
    /* 0 for a request. */
    int kind;
    struct {
        int number;
        struct text name;
    } method;
    void *uri;
    struct header headers;
    void *body;
};

extern void *dlsym(void *library, const char *name);
extern void *pjsip_msg_find_hdr_by_name(const void *message, const struct text *name, const void *from);

/* Where a text begins in another; -1 where it does not. */
long guard_find(const char *in, long length, const char *text, long its_length);
/* Whether a request's method is this one. */
int guard_is_method(const struct message *message, const char *name);

/* A message is about to be parsed; it was parsed; one of ours was written; media came by a socket. */
void guard_look_at_packet(char *packet, long length);
void guard_look_at_request(struct message *message, const char *packet, long length);
void guard_look_at_written(const char *text, long length);
int guard_is_key_repeated(int socket, const unsigned char *data, long length);
