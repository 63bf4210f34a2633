/* version.h - who we say we are. */
#ifndef WEFT_SERVER_VERSION_H
#define WEFT_SERVER_VERSION_H

#define WEFT_VERSION  "0.1.0"
#define REDIS_VERSION "7.4.0" /* the Redis whose features we have: clients decide by it */

#endif
