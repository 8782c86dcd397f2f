/* SPDX-License-Identifier: GPL-3.0-or-later */
/* messages: any message filled at random, by what its descriptor says. */
#ifndef TEST_MESSAGES_H
#define TEST_MESSAGES_H

#include <protobuf-c/protobuf-c.h>

/* Free with protobuf_c_message_free_unpacked. Uses random(3). */
ProtobufCMessage *messages_random(const ProtobufCMessageDescriptor *desc);

#endif
