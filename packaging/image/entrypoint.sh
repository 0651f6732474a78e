#!/bin/bash
# The entry point of Redpanda's image: `redpanda start …` as `rpk redpanda start …` has it.
exec /usr/bin/rpk "$@"
