topic name=t partitions=4
----

consumer_settings assignment_interval_ms=0
----

# One member gets all.
beat member=a topics=t
----
a epoch=2 interval=5000 assignment=1:0+1+2+3
record g member a client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 2 hash=-954534464913970981
record g target of a 1:0+1+2+3
record g target 2 at=1000000
record g current of a epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer g Session("a") at 45s

describe_consumer
----
Stable epoch=2 assignment_epoch=2 assignor=uniform
  member a epoch=2 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0+1+2+3 target=1:0+1+2+3

# Nothing changed: nothing is written.
beat member=a epoch=2 owned=1:0+1+2+3
----
a epoch=2 interval=5000

# Another one comes: it waits until the first one has given up its part.
beat member=b topics=t
----
b epoch=3 interval=5000 assignment=-
record g member b client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 3 hash=-954534464913970981
record g target of a 1:0+1
record g target of b 1:2+3
record g target 3 at=1000000
record g current of b epoch=3 previous=0 state=2 assigned=- revoking=-
timer g Session("b") at 45s

beat member=a epoch=2
----
a epoch=2 interval=5000 assignment=1:0+1
record g current of a epoch=2 previous=2 state=1 assigned=1:0@2+1@2 revoking=1:2@2+3@2
timer g Rebalance("a") at 60s

beat member=a epoch=2 owned=1:0+1+2+3
----
a epoch=2 interval=5000

beat member=b epoch=3
----
b epoch=3 interval=5000
record g current of b epoch=3 previous=3 state=2 assigned=- revoking=-

describe_consumer
----
Reconciling epoch=3 assignment_epoch=3 assignor=uniform
  member a epoch=2 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0+1+2+3 target=1:0+1
  member b epoch=3 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=1:2+3

beat member=a epoch=2 owned=1:0+1
----
a epoch=3 interval=5000
record g current of a epoch=3 previous=2 state=0 assigned=1:0@2+1@2 revoking=-
no timer g Rebalance("a")

beat member=b epoch=3
----
b epoch=3 interval=5000 assignment=1:2+3
record g current of b epoch=3 previous=3 state=0 assigned=1:2@3+3@3 revoking=-

describe_consumer
----
Stable epoch=3 assignment_epoch=3 assignor=uniform
  member a epoch=3 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:0+1 target=1:0+1
  member b epoch=3 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=1:2+3 target=1:2+3

# The answer was lost: the member comes with its previous epoch and a part of what it owns.
beat member=a epoch=2 owned=1:0+1
----
a epoch=3 interval=5000

beat member=a epoch=2
----
FencedMemberEpoch The consumer group member has a smaller member epoch (2) than the one known by the group coordinator (3). The member must abandon all its partitions and rejoin.

beat member=a epoch=2 owned=1:2
----
FencedMemberEpoch The consumer group member has a smaller member epoch (2) than the one known by the group coordinator (3). The member must abandon all its partitions and rejoin.

beat member=a epoch=9
----
FencedMemberEpoch The consumer group member has a greater member epoch (9) than the one known by the group coordinator (3). The member must abandon all its partitions and rejoin.

# It subscribes to something else, and has nothing until the other topic is there.
beat member=a epoch=3 topics=u owned=1:0+1
----
a epoch=3 interval=5000 assignment=-
record g member a client=c host=/127.0.0.1 topics=u rebalance=60000 regex=""
record g epoch 4 hash=-954534464913970981
record g target of a -
record g target of b 1:0+1+2+3
record g target 4 at=1000000
record g current of a epoch=3 previous=3 state=1 assigned=- revoking=1:0@2+1@2
timer g Rebalance("a") at 60s

beat member=a epoch=3 owned=-
----
a epoch=4 interval=5000
record g current of a epoch=4 previous=3 state=0 assigned=- revoking=-
no timer g Rebalance("a")

beat member=b epoch=3
----
b epoch=4 interval=5000 assignment=1:0+1+2+3
record g current of b epoch=4 previous=3 state=0 assigned=1:0@4+1@4+2@3+3@3 revoking=-

topic name=u partitions=2
----

beat member=a epoch=4
----
a epoch=5 interval=5000 assignment=2:0+1
record g epoch 5 hash=862896421059691064
record g target of a 2:0+1
record g target 5 at=1000000
record g current of a epoch=5 previous=4 state=0 assigned=2:0@5+1@5 revoking=-

beat member=b epoch=4
----
b epoch=5 interval=5000
record g current of b epoch=5 previous=4 state=0 assigned=1:0@4+1@4+2@3+3@3 revoking=-

# More partitions.
topic name=t partitions=6 id=1
----

beat member=b epoch=5
----
b epoch=6 interval=5000 assignment=1:0+1+2+3+4+5
record g epoch 6 hash=6272244079204370912
record g target of b 1:0+1+2+3+4+5
record g target 6 at=1000000
record g current of b epoch=6 previous=5 state=0 assigned=1:0@4+1@4+2@3+3@3+4@6+5@6 revoking=-

# The topic goes.
drop_topic name=u
----

beat member=a epoch=5
----
a epoch=5 interval=5000 assignment=-
record g epoch 7 hash=622595490593312359
record g target of a -
record g target 7 at=1000000
record g current of a epoch=5 previous=5 state=1 assigned=- revoking=2:0@5+1@5
timer g Rebalance("a") at 60s

beat member=a epoch=5 owned=-
----
a epoch=7 interval=5000
record g current of a epoch=7 previous=5 state=0 assigned=- revoking=-
no timer g Rebalance("a")

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "Reconciling", group_type: "consumer" }

# One leaves, the other one does not come back.
beat member=a epoch=-1
----
a epoch=-1 interval=0
tombstone g current of a
tombstone g target of a
tombstone g member a
record g epoch 8 hash=622595490593312359
no timer g Session("a")

beat member=b epoch=8
----
FencedMemberEpoch The consumer group member has a greater member epoch (8) than the one known by the group coordinator (6). The member must abandon all its partitions and rejoin.

wait ms=45000
----
tombstone g current of b
tombstone g target of b
tombstone g member b
record g epoch 9 hash=0
record g target 9 at=0
no timer g Session("b")

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "Empty", group_type: "consumer" }

describe_consumer
----
Empty epoch=9 assignment_epoch=9 assignor=uniform

delete group=g
----
Ok(())
tombstone g target
tombstone g partitions
tombstone g epoch

list
----
