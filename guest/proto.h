/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What guest/init (PID 1 of a guest) and guest/relay (on the host) say to each
 * other over one byte channel: a serial line in User-mode Linux, a virtio port
 * in QEMU.
 *
 * Every message is a struct frame followed by @len bytes. Streams are numbered
 * as their file descriptors. A sender of stream data may have WINDOW bytes on
 * their way that the other side has not yet given credit for; that bounds every
 * buffer and lets a blocked stream not hold up the others.
 */
#ifndef GUEST_PROTO_H
#define GUEST_PROTO_H

#include <stdint.h>

#define WINDOW		(1u << 20)	/* bytes */
#define CHUNK		(1u << 18)	/* bytes; largest payload of a frame */
#define PORT_NAME	"guest-run"

/* Status of guest/run itself; see docs/guest.md. */
#define STATUS_REPORT	123
#define STATUS_TIMEOUT	124
#define STATUS_RUNNER	125
#define STATUS_NOEXEC	126
#define STATUS_NOENT	127

enum frame_type {
	FRAME_HELLO = 1,	/* guest: the channel is binary clean from here */
	FRAME_DATA,		/* bytes of @stream */
	FRAME_FILE,		/* host: struct chunk, bytes of @stream in a file */
	FRAME_EOF,		/* no more of @stream will come */
	FRAME_CLOSED,		/* nobody reads @stream any more */
	FRAME_CREDIT,		/* uint32_t: so many bytes of @stream are consumed */
	FRAME_WINSIZE,		/* host: struct winsize of the terminal */
	FRAME_EXIT,		/* guest: int32_t, exit status of the command */
	FRAME_ERROR,		/* guest: text, the command could not be started */
};

struct frame {
	uint8_t magic;
	uint8_t type;
	uint8_t stream;
	uint8_t pad;
	uint32_t len;
};

#define FRAME_MAGIC	0xa7

struct chunk {
	uint32_t serial;	/* in the file "in.<serial>" of the run directory */
	uint32_t len;
};

#endif
