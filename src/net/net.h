/*
 * net.h - from bytes to requests and from replies to bytes: RESP parser, reply builder, connections,
 * listeners. Blocking-style calls on runtime/. Knows no keys and no commands.
 */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include "base/base.h"
#include "runtime/runtime.h"
#include "types/types.h"

#include "net/resp.h"
#include "net/reply.h"
#include "net/conn.h"
#include "net/listener.h"

#endif
