// limit: the floor under every comparison. A WebSocket server for the group protocol that does nothing but copy bytes.
//
// It answers the question "what would it cost if the server did no work at all?": plain epoll, no checks, no limits, no
// JSON parser (commands are recognised by string search), no UTF-8 validation, no slow-reader policy. Whatever a real
// server spends beyond this is the price of being one.
//
//   limit -p PORT [-m plain|coalesce] [-t THREADS] [-c CPU]
//
//   plain     one send() per message and member, at once: the obvious loop, and the cheapest one while traffic is thin.
//   coalesce  a batch of epoll events at a time: messages are gathered, and every member gets one send() at the end.
//             Members of a single group share that group's bytes, so that a busy group is concatenated once.
//
// With more than one thread, connections are dealt out round robin, each thread keeps the groups of its own
// connections, and messages go to the other threads through a mutex-protected queue and an eventfd.
//
// Nothing is ever lost: what the kernel does not take waits in a buffer of the connection, without a limit. That, and
// the missing checks, is why nobody should serve anything but a benchmark with it.
//
// Order kept: a publisher's messages reach every member in the order sent. There is no total order over publishers on
// different threads (groupcast has one; it costs, and the limit does not pay it).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_BYTES = 256 * 1024,         // a read takes this much at most; also the longest frame there is
	EVENTS = 1024,                   // epoll events in a batch
	FLUSH_BYTES = 4 * 1024 * 1024,   // a batch that gathered this much is flushed early
	ACCEPTS = 64,                    // connections accepted before the others get their turn
	SPARES = 1024,                   // emptied output buffers kept for reuse
	MAX_THREADS = 64,
};

// bytes is a growing buffer; [from, len) is what it holds.
struct bytes {
	char *p;
	size_t from, len, cap;
};

// membership is a connection's side of being in a group: where in the group's list it stands.
struct membership {
	struct group *group;
	uint32_t index;
};

// conn is one connection, 64 bytes while idle in one group: buffers exist only while they hold something.
// Owner: the thread it was dealt to.
struct conn {
	int fd;
	bool upgraded, dead, dirty, waiting; // waiting: EPOLLOUT is armed
	uint32_t n;                          // memberships
	uint32_t cap;                        // room in many
	union {
		struct membership one; // n <= 1 and cap == 0
		struct membership *many;
	} in;
	struct bytes *partial; // the beginning of a frame or of the upgrade request
	struct bytes *out;     // what the kernel did not take, or (coalesce, several groups) has not been offered yet
};

// member is a group's side of it: the connection, and which of its memberships this is.
struct member {
	struct conn *conn;
	uint32_t slot;
};

struct members {
	struct member *at;
	uint32_t n, cap;
};

// group keeps apart the members that are in no other group: those can share the group's gathered bytes as they are,
// the others have their own so that messages of several groups stay in order.
struct group {
	char *name;
	uint32_t name_len;
	uint64_t hash;
	struct members solo, shared;
	struct bytes gathered; // this batch's frames, coalesce only
	bool active;           // gathered is not empty
};

struct conns {
	struct conn **at;
	size_t n, cap;
};

struct thread {
	int epoll, wake;
	struct group **table; // open addressing, a power of two
	size_t table_cap, table_n;
	struct group **active; // groups with gathered bytes
	size_t active_n, active_cap;
	size_t gathered;
	struct conns dirty, dead;
	struct bytes *spare[SPARES];
	int spares;
	struct bytes outbox; // messages of this batch for the other threads
	struct bytes work;   // the inbox, swapped out
	pthread_mutex_t lock;
	struct bytes inbox; // guarded by lock
	char *read;         // READ_BYTES and a bit
};

// A message between threads: this head, the name, the frame.
struct parcel {
	uint64_t hash;
	uint32_t name_len, frame_len;
};

static struct thread threads[MAX_THREADS];
static int thread_n = 1, listener = -1, pin = -1;
static bool coalesce;

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void *grow(void *p, size_t size) {
	p = realloc(p, size);
	if (!p) die("memory");
	return p;
}

static void append(struct bytes *b, const void *p, size_t n) {
	if (b->len + n > b->cap) {
		b->cap = b->cap ? b->cap : 512;
		while (b->cap < b->len + n) b->cap *= 2;
		b->p = grow(b->p, b->cap);
	}
	memcpy(b->p + b->len, p, n);
	b->len += n;
}

static void push_conn(struct conns *v, struct conn *c) {
	if (v->n == v->cap) v->at = grow(v->at, sizeof *v->at * (v->cap = v->cap ? v->cap * 2 : 64));
	v->at[v->n++] = c;
}

// ---- buffers of a connection: borrowed while needed, so that an idle one costs nothing ----

static struct bytes *borrow(struct thread *t) {
	if (t->spares) return t->spare[--t->spares];
	struct bytes *b = grow(NULL, sizeof *b);
	*b = (struct bytes){0};
	return b;
}

static void give_back(struct thread *t, struct bytes *b) {
	if (!b) return;
	b->from = b->len = 0;
	if (t->spares < SPARES && b->cap <= READ_BYTES) {
		t->spare[t->spares++] = b;
		return;
	}
	free(b->p);
	free(b);
}

// ---- output ----

// bury marks only: the connection may stand in this batch's events and lists. reap frees it when the batch is over.
static void bury(struct thread *t, struct conn *c) {
	if (c->dead) return;
	c->dead = true;
	push_conn(&t->dead, c);
}

static void wait_writable(struct thread *t, struct conn *c, bool on) {
	if (c->waiting == on) return;
	c->waiting = on;
	struct epoll_event e = {.events = on ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
	epoll_ctl(t->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

// offer sends at once, unless earlier bytes still wait; what the kernel does not take waits too.
static void offer(struct thread *t, struct conn *c, const char *p, size_t n) {
	if (c->dead) return;
	if (!c->out) {
		ssize_t sent = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent == (ssize_t)n) return;
		if (sent < 0) {
			if (errno != EAGAIN && errno != EINTR) {
				bury(t, c);
				return;
			}
			sent = 0;
		}
		p += sent;
		n -= sent;
		c->out = borrow(t);
		wait_writable(t, c, true);
	}
	append(c->out, p, n);
}

// send_waiting offers what has been waiting, in one call.
static void send_waiting(struct thread *t, struct conn *c) {
	struct bytes *b = c->out;
	if (c->dead || !b) return;
	ssize_t sent = send(c->fd, b->p + b->from, b->len - b->from, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR) {
			bury(t, c);
			return;
		}
		sent = 0;
	}
	b->from += sent;
	if (b->from == b->len) {
		give_back(t, b);
		c->out = NULL;
	} else if (b->from > b->len / 2) { // move up seldom enough to stay linear
		memmove(b->p, b->p + b->from, b->len - b->from);
		b->len -= b->from;
		b->from = 0;
	}
	wait_writable(t, c, c->out != NULL);
}

// frame_head writes the header of an unmasked frame and returns its length.
static size_t frame_head(char *h, int opcode, size_t n) {
	h[0] = (char)(0x80 | opcode);
	if (n < 126) {
		h[1] = (char)n;
		return 2;
	}
	if (n < 65536) {
		h[1] = 126;
		h[2] = (char)(n >> 8);
		h[3] = (char)n;
		return 4;
	}
	h[1] = 127;
	for (int i = 0; i < 8; i++) h[2 + i] = (char)((uint64_t)n >> (56 - 8 * i));
	return 10;
}

// ---- groups ----

static uint64_t hash_of(const char *p, size_t n) {
	uint64_t h = 1469598103934665603u;
	for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 1099511628211u;
	return h ^ (h >> 29);
}

static struct group **find(struct thread *t, uint64_t hash, const char *name, size_t n) {
	size_t i = hash & (t->table_cap - 1);
	while (t->table[i] && !(t->table[i]->hash == hash && t->table[i]->name_len == n && !memcmp(t->table[i]->name, name, n)))
		i = (i + 1) & (t->table_cap - 1);
	return &t->table[i];
}

// group_named returns the group, made if need be. Empty groups stay: names are few in a benchmark.
static struct group *group_named(struct thread *t, const char *name, size_t n) {
	uint64_t hash = hash_of(name, n);
	struct group **at = find(t, hash, name, n);
	if (*at) return *at;
	if (2 * (t->table_n + 1) > t->table_cap) {
		struct group **old = t->table;
		size_t old_cap = t->table_cap;
		t->table = calloc(t->table_cap = old_cap * 2, sizeof *old);
		if (!t->table) die("memory");
		for (size_t i = 0; i < old_cap; i++)
			if (old[i]) *find(t, old[i]->hash, old[i]->name, old[i]->name_len) = old[i];
		free(old);
		at = find(t, hash, name, n);
	}
	struct group *g = calloc(1, sizeof *g);
	if (!g) die("memory");
	g->name = memcpy(grow(NULL, n), name, n);
	g->name_len = n;
	g->hash = hash;
	t->table_n++;
	return *at = g;
}

static struct membership *memberships(struct conn *c) { return c->cap ? c->in.many : &c->in.one; }

static void enter(struct members *m, struct conn *c, uint32_t slot) {
	if (m->n == m->cap) m->at = grow(m->at, sizeof *m->at * (m->cap = m->cap ? m->cap * 2 : 4));
	memberships(c)[slot].index = m->n;
	m->at[m->n++] = (struct member){c, slot};
}

static void quit(struct members *m, uint32_t index) {
	struct member last = m->at[--m->n];
	if (index == m->n) return;
	m->at[index] = last;
	memberships(last.conn)[last.slot].index = index;
}

static struct members *list_of(struct conn *c, struct group *g) { return c->n > 1 ? &g->shared : &g->solo; }

static void flush(struct thread *t);

static void join(struct thread *t, struct conn *c, struct group *g) {
	for (uint32_t i = 0; i < c->n; i++)
		if (memberships(c)[i].group == g) return;
	flush(t); // what was gathered goes to the lists as they were
	if (c->n == 1 && c->cap == 0) {
		struct membership first = c->in.one;
		quit(&first.group->solo, first.index);
		c->in.many = grow(NULL, sizeof first * (c->cap = 4));
		c->in.many[0] = first;
		enter(&first.group->shared, c, 0);
	} else if (c->cap && c->n == c->cap) {
		c->in.many = grow(c->in.many, sizeof *c->in.many * (c->cap *= 2));
	} else if (c->n == 1) {
		quit(&c->in.many[0].group->solo, c->in.many[0].index);
		enter(&c->in.many[0].group->shared, c, 0);
	}
	uint32_t slot = c->n++;
	memberships(c)[slot].group = g;
	enter(list_of(c, g), c, slot);
}

static void leave(struct conn *c, uint32_t slot) {
	struct membership *m = memberships(c);
	quit(list_of(c, m[slot].group), m[slot].index);
	uint32_t last = c->n - 1;
	if (slot != last) { // the last membership takes the free place, and its group learns of it
		m[slot] = m[last];
		list_of(c, m[slot].group)->at[m[slot].index].slot = slot;
	}
	if (c->n == 2) { // one is left: it shares its group's bytes again
		quit(&m[0].group->shared, m[0].index);
		c->n = 1;
		enter(&m[0].group->solo, c, 0);
		return;
	}
	c->n = last;
}

// ---- fan-out ----

static void gather(struct thread *t, struct group *g, const char *frame, size_t n) {
	if (g->solo.n) {
		if (!g->active) {
			g->active = true;
			if (t->active_n == t->active_cap)
				t->active = grow(t->active, sizeof *t->active * (t->active_cap = t->active_cap ? t->active_cap * 2 : 64));
			t->active[t->active_n++] = g;
		}
		append(&g->gathered, frame, n);
	}
	for (uint32_t i = 0; i < g->shared.n; i++) {
		struct conn *c = g->shared.at[i].conn;
		if (!c->out) c->out = borrow(t);
		append(c->out, frame, n);
		if (!c->dirty) {
			c->dirty = true;
			push_conn(&t->dirty, c);
		}
	}
	t->gathered += n;
	if (t->gathered > FLUSH_BYTES) flush(t);
}

// flush is the one send per member and batch.
static void flush(struct thread *t) {
	for (size_t i = 0; i < t->active_n; i++) {
		struct group *g = t->active[i];
		for (uint32_t k = 0; k < g->solo.n; k++) offer(t, g->solo.at[k].conn, g->gathered.p, g->gathered.len);
		g->gathered.len = 0;
		g->active = false;
	}
	for (size_t i = 0; i < t->dirty.n; i++) {
		struct conn *c = t->dirty.at[i];
		c->dirty = false;
		if (!c->waiting) send_waiting(t, c);
	}
	t->active_n = t->dirty.n = t->gathered = 0;
}

static void fan_out(struct thread *t, uint64_t hash, const char *name, size_t name_len, const char *frame, size_t n) {
	struct group *g = *find(t, hash, name, name_len);
	if (!g) return;
	if (coalesce) {
		gather(t, g, frame, n);
		return;
	}
	for (uint32_t i = 0; i < g->solo.n; i++) offer(t, g->solo.at[i].conn, frame, n);
	for (uint32_t i = 0; i < g->shared.n; i++) offer(t, g->shared.at[i].conn, frame, n);
}

static void fan_out_parcels(struct thread *t, struct bytes *b) {
	for (size_t at = 0; at < b->len;) {
		struct parcel p;
		memcpy(&p, b->p + at, sizeof p);
		const char *name = b->p + at + sizeof p;
		fan_out(t, p.hash, name, p.name_len, name + p.name_len, p.frame_len);
		at += sizeof p + p.name_len + p.frame_len;
	}
}

// hand_over gives the batch's messages to the other threads: one lock and at most one wake each.
static void hand_over(struct thread *t) {
	if (!t->outbox.len) return;
	for (int i = 0; i < thread_n; i++) {
		struct thread *other = &threads[i];
		if (other == t) continue;
		pthread_mutex_lock(&other->lock);
		bool was_empty = other->inbox.len == 0;
		append(&other->inbox, t->outbox.p, t->outbox.len);
		pthread_mutex_unlock(&other->lock);
		if (was_empty && eventfd_write(other->wake, 1) < 0) die("eventfd");
	}
}

// end_of_batch: the others first, they have been waiting longest; then our own members.
static void end_of_batch(struct thread *t) {
	hand_over(t);
	if (!coalesce) fan_out_parcels(t, &t->outbox);
	t->outbox.len = 0;
	flush(t);
}

static void publish(struct thread *t, const char *name, size_t name_len, const char *frame, size_t n) {
	uint64_t hash = hash_of(name, name_len);
	if (thread_n > 1) {
		struct parcel p = {hash, (uint32_t)name_len, (uint32_t)n};
		append(&t->outbox, &p, sizeof p);
		append(&t->outbox, name, name_len);
		append(&t->outbox, frame, n);
		if (!coalesce) return; // sent at the end of this read, after the others were woken
	}
	fan_out(t, hash, name, name_len, frame, n);
}

static void take_inbox(struct thread *t) {
	eventfd_t ignored;
	eventfd_read(t->wake, &ignored);
	pthread_mutex_lock(&t->lock);
	struct bytes full = t->inbox;
	t->inbox = t->work;
	t->inbox.len = 0;
	pthread_mutex_unlock(&t->lock);
	t->work = full;
	fan_out_parcels(t, &t->work);
}

// ---- commands, by string search ----

#define HAS(p, n, s) memmem(p, n, s, sizeof(s) - 1)

static void acknowledge(struct thread *t, struct conn *c, const char *p, size_t n) {
	const char *id = HAS(p, n, "\"req_id\":");
	if (!id) return;
	id += 9;
	size_t len = 0;
	while (id + len < p + n && id[len] != ',' && id[len] != '}' && len < 64) len++;
	char body[128], frame[132];
	int m = snprintf(body, sizeof body, "{\"cmd\":\"ack\",\"req_id\":%.*s}", (int)len, id);
	size_t h = frame_head(frame, 1, m);
	memcpy(frame + h, body, m);
	offer(t, c, frame, h + m);
}

// command looks at one unmasked text message. The bytes before the message string are overwritten with the header of
// the frame that goes out, so that nothing is copied: at least `{"cmd":...` stands there.
static void command(struct thread *t, struct conn *c, char *p, size_t n) {
	char *name = HAS(p, n, "\"group_id\":\"");
	if (!name) {
		acknowledge(t, c, p, n);
		return;
	}
	name += 12;
	char *end = memchr(name, '"', p + n - name);
	if (!end) return;
	size_t name_len = end - name;
	if (HAS(p, name - p, "\"cmd\":\"send_to_group\"")) {
		char *text = HAS(end, p + n - end, "\"message\":\"");
		if (!text) return;
		text += 11;
		size_t len = p + n - text - 2; // the last field: `"}` follows
		char head[10];
		size_t h = frame_head(head, 1, len);
		memcpy(text - h, head, h); // over `"message":"`, eleven bytes
		publish(t, name, name_len, text - h, h + len);
	} else if (HAS(p, name - p, "\"cmd\":\"add_group\"")) {
		join(t, c, group_named(t, name, name_len));
		acknowledge(t, c, p, n);
	} else if (HAS(p, name - p, "\"cmd\":\"leave_group\"")) {
		struct group *g = *find(t, hash_of(name, name_len), name, name_len);
		flush(t);
		for (uint32_t i = 0; g && i < c->n; i++)
			if (memberships(c)[i].group == g) {
				leave(c, i);
				break;
			}
		acknowledge(t, c, p, n);
	}
}

// ---- input ----

static uint32_t rol(uint32_t x, int n) { return x << n | x >> (32 - n); }

// sha1 of at most 119 bytes (a key and its GUID are 60): two blocks.
static void sha1(const char *p, size_t n, uint8_t out[20]) {
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	uint8_t block[128] = {0};
	size_t total = n < 56 ? 64 : 128;
	memcpy(block, p, n);
	block[n] = 0x80;
	for (int i = 0; i < 8; i++) block[total - 1 - i] = (uint8_t)((uint64_t)n * 8 >> (8 * i));
	for (size_t at = 0; at < total; at += 64) {
		uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
		for (int i = 0; i < 16; i++) {
			uint32_t word;
			memcpy(&word, block + at + 4 * i, 4);
			w[i] = ntohl(word);
		}
		for (int i = 16; i < 80; i++) w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
		for (int i = 0; i < 80; i++) {
			uint32_t f, k;
			if (i < 20) f = (b & c) | (~b & d), k = 0x5a827999;
			else if (i < 40) f = b ^ c ^ d, k = 0x6ed9eba1;
			else if (i < 60) f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
			else f = b ^ c ^ d, k = 0xca62c1d6;
			uint32_t x = rol(a, 5) + f + e + k + w[i];
			e = d, d = c, c = rol(b, 30), b = a, a = x;
		}
		h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
	}
	for (int i = 0; i < 20; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

// base64 of 20 bytes: 28 characters.
static void base64(const uint8_t in[20], char *out) {
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (int i = 0; i < 20; i += 3) {
		uint32_t x = in[i] << 16 | in[i + 1] << 8 | (i + 2 < 20 ? in[i + 2] : 0);
		*out++ = set[x >> 18];
		*out++ = set[x >> 12 & 63];
		*out++ = set[x >> 6 & 63];
		*out++ = i + 2 < 20 ? set[x & 63] : '=';
	}
}

// upgrade consumes the request head if it is all there, and returns how many bytes it took.
static size_t upgrade(struct thread *t, struct conn *c, char *p, size_t n) {
	char *end = HAS(p, n, "\r\n\r\n");
	if (!end) return 0;
	end[2] = 0;
	char *key = strcasestr(p, "\r\nSec-WebSocket-Key:");
	if (!key) {
		bury(t, c);
		return n;
	}
	key += 20;
	while (*key == ' ') key++;
	char both[64], accept[28], reply[160];
	uint8_t digest[20];
	snprintf(both, sizeof both, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	sha1(both, strlen(both), digest);
	base64(digest, accept);
	int m = snprintf(reply, sizeof reply,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: %.28s\r\n\r\n", accept);
	c->upgraded = true;
	offer(t, c, reply, m);
	return end + 4 - p;
}

static void unmask(char *p, size_t n, const char *key) {
	uint32_t k;
	memcpy(&k, key, 4);
	uint64_t kk = (uint64_t)k << 32 | k;
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		uint64_t x;
		memcpy(&x, p + i, 8);
		x ^= kk;
		memcpy(p + i, &x, 8);
	}
	for (; i < n; i++) p[i] ^= key[i & 3];
}

// frame consumes one frame if it is all there, and returns how many bytes it took. Messages are never fragmented here.
static size_t frame(struct thread *t, struct conn *c, char *p, size_t n) {
	if (n < 6) return 0;
	uint64_t len = p[1] & 0x7f;
	size_t head = 2;
	if (len >= 126) {
		head = len == 126 ? 4 : 10;
		if (n < head) return 0;
		len = 0;
		for (size_t i = 2; i < head; i++) len = len << 8 | (uint8_t)p[i];
	}
	if (len > READ_BYTES - 14) {
		bury(t, c);
		return n;
	}
	if (n < head + 4 + len) return 0;
	char *body = p + head + 4;
	unmask(body, len, p + head);
	switch (p[0] & 0x0f) {
	case 1:
	case 2:
		command(t, c, body, len);
		break;
	case 8:
		bury(t, c);
		break;
	case 9: {
		char pong[2 + 127];
		size_t h = frame_head(pong, 10, len & 0x7f);
		memcpy(pong + h, body, len & 0x7f);
		offer(t, c, pong, h + (len & 0x7f));
	}
	}
	return head + 4 + len;
}

static void readable(struct thread *t, struct conn *c) {
	char *p = t->read;
	size_t had = 0;
	if (c->partial) {
		had = c->partial->len;
		memcpy(p, c->partial->p, had);
	}
	ssize_t got = recv(c->fd, p + had, READ_BYTES - had, MSG_DONTWAIT);
	if (got <= 0) {
		if (got == 0 || (errno != EAGAIN && errno != EINTR)) bury(t, c);
		return;
	}
	size_t n = had + got, at = 0, took;
	while (at < n && !c->dead && (took = c->upgraded ? frame(t, c, p + at, n - at) : upgrade(t, c, p + at, n - at))) at += took;
	if (c->partial) c->partial->len = 0;
	if (at < n && !c->dead) {
		if (!c->partial) c->partial = borrow(t);
		append(c->partial, p + at, n - at);
	} else if (c->partial) {
		give_back(t, c->partial);
		c->partial = NULL;
	}
	if (!coalesce) end_of_batch(t);
}

// accept_some deals new connections out; epoll_ctl on another thread's epoll is safe, and nothing else is touched.
static void accept_some(void) {
	static unsigned next;
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) return;
		struct conn *c = calloc(1, sizeof *c);
		if (!c) die("memory");
		c->fd = fd;
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
		if (epoll_ctl(threads[next++ % thread_n].epoll, EPOLL_CTL_ADD, fd, &e) < 0) die("epoll_ctl");
	}
}

static void reap(struct thread *t) {
	for (size_t i = 0; i < t->dead.n; i++) {
		struct conn *c = t->dead.at[i];
		while (c->n) leave(c, c->n - 1);
		if (c->cap) free(c->in.many);
		give_back(t, c->partial);
		give_back(t, c->out);
		close(c->fd);
		free(c);
	}
	t->dead.n = 0;
}

static void *run(void *arg) {
	struct thread *t = arg;
	if (pin >= 0) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET((pin + (t - threads)) % sysconf(_SC_NPROCESSORS_CONF), &set);
		if (sched_setaffinity(0, sizeof set, &set) < 0) die("sched_setaffinity");
	}
	struct epoll_event events[EVENTS];
	for (;;) {
		int n = epoll_wait(t->epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			if (!c) {
				accept_some();
			} else if ((void *)c == t) {
				take_inbox(t);
			} else if (!c->dead) {
				if (events[i].events & EPOLLOUT) send_waiting(t, c);
				if (events[i].events & ~EPOLLOUT) readable(t, c);
			}
		}
		end_of_batch(t);
		reap(t);
	}
	return NULL;
}

static void start(struct thread *t) {
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	t->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	t->table = calloc(t->table_cap = 1024, sizeof *t->table);
	t->read = malloc(READ_BYTES + 1);
	if (t->epoll < 0 || t->wake < 0 || !t->table || !t->read) die("start");
	pthread_mutex_init(&t->lock, NULL);
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = t};
	if (epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->wake, &e) < 0) die("epoll_ctl");
}

static void terminate(int sig) {
	(void)sig;
	_exit(0);
}

int main(int argc, char **argv) {
	int port = 1234, opt, on = 1;
	while ((opt = getopt(argc, argv, "p:m:t:c:")) != -1) switch (opt) {
		case 'p': port = atoi(optarg); break;
		case 't': thread_n = atoi(optarg); break;
		case 'c': pin = atoi(optarg); break;
		case 'm':
			coalesce = !strcmp(optarg, "coalesce");
			if (coalesce || !strcmp(optarg, "plain")) break;
			// fall through
		default:
			fprintf(stderr, "usage: limit [-p port] [-m plain|coalesce] [-t threads] [-c cpu]\n");
			return 2;
		}
	if (thread_n < 1 || thread_n > MAX_THREADS) {
		fprintf(stderr, "limit: 1 to %d threads\n", MAX_THREADS);
		return 2;
	}
	signal(SIGTERM, terminate);
	signal(SIGINT, terminate);
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}

	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); // inherited by what it accepts
	if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) < 0 || listen(listener, 4096) < 0) die("listen");
	for (int i = 0; i < thread_n; i++) start(&threads[i]);
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
	if (epoll_ctl(threads[0].epoll, EPOLL_CTL_ADD, listener, &e) < 0) die("epoll_ctl");
	printf("listening on 127.0.0.1:%d\n", port);
	fflush(stdout);
	for (int i = 1; i < thread_n; i++) {
		pthread_t id;
		if (pthread_create(&id, NULL, run, &threads[i])) die("pthread_create");
	}
	run(&threads[0]);
}
