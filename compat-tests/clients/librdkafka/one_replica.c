/* Preloaded into librdkafka's tests: some of them make topics with three replicas, which one broker cannot have, although
 * what they test is something else. They get one; nothing else of them changes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

typedef void *new_topic(const char *, int, int, char *, size_t);

void *rd_kafka_NewTopic_new(const char *topic, int partitions, int replicas, char *error, size_t size) {
        new_topic *theirs = (new_topic *)dlsym(RTLD_NEXT, "rd_kafka_NewTopic_new");
        return theirs(topic, partitions, replicas == 3 ? 1 : replicas, error, size);
}
