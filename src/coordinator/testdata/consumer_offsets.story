topic name=t partitions=4
----

consumer_settings assignment_interval_ms=0
----

beat member=a topics=t
----
a epoch=2 interval=5000 assignment=1:0+1+2+3
record g member a client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 2 hash=-954534464913970981
record g target of a 1:0+1+2+3
record g target 2 at=1000000
record g current of a epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer g Session("a") at 45s

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

beat member=a epoch=2 owned=1:0+1
----
a epoch=3 interval=5000
record g current of a epoch=3 previous=2 state=0 assigned=1:0@2+1@2 revoking=-
no timer g Rebalance("a")

beat member=b epoch=3
----
b epoch=3 interval=5000 assignment=1:2+3
record g current of b epoch=3 previous=3 state=0 assigned=1:2@3+3@3 revoking=-

# An epoch before, of a partition that it has had since then, and of one that it has given up.
commit member=a generation=2 offsets=t-0:5 topic_id=1 v=10
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=5 leader_epoch=-1 metadata="" committed=1000000 expires=-1 topic_id=AAAAAAAAAAAAAAAAAAAAAQ

commit member=a generation=2 offsets=t-3:5 topic_id=1 v=10
----
Err(StaleMemberEpoch)

commit member=a generation=2 offsets=t-0:6,t-3:6 topic_id=1 v=10
----
Err(StaleMemberEpoch)

commit member=a generation=1 offsets=t-0:7 topic_id=1 v=10
----
Err(StaleMemberEpoch)

# The other has its partitions since the third epoch only.
beat member=c topics=t
----
c epoch=4 interval=5000 assignment=-
record g member c client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 4 hash=-954534464913970981
record g target of b 1:2
record g target of c 1:3
record g target 4 at=1000000
record g current of c epoch=4 previous=0 state=2 assigned=- revoking=-
timer g Session("c") at 45s

beat member=b epoch=3
----
b epoch=3 interval=5000 assignment=1:2
record g current of b epoch=3 previous=3 state=1 assigned=1:2@3 revoking=1:3@3
timer g Rebalance("b") at 60s

beat member=b epoch=3 owned=1:2
----
b epoch=4 interval=5000
record g current of b epoch=4 previous=3 state=0 assigned=1:2@3 revoking=-
no timer g Rebalance("b")

beat member=b epoch=4
----
b epoch=4 interval=5000

commit member=b generation=3 offsets=t-2:8 topic_id=1 v=10
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 2 }) v4 offset=8 leader_epoch=-1 metadata="" committed=1000000 expires=-1 topic_id=AAAAAAAAAAAAAAAAAAAAAQ

commit member=b generation=2 offsets=t-2:9 topic_id=1 v=10
----
Err(StaleMemberEpoch)

commit member=b generation=5 offsets=t-2:9 topic_id=1 v=10
----
Err(StaleMemberEpoch)

commit member=b generation=4 offsets=t-2:10 v=8
----
Err(UnsupportedVersion)

# What is too long is refused by itself, also where the epoch is too old for the partition.
settings metadata_max=3
----

commit member=b generation=2 offsets=t-2:9 metadata=long topic_id=1 v=10
----
Ok([[OffsetMetadataTooLarge]])

commit member=b generation=2 offsets=t-2:9 metadata=not topic_id=1 v=10
----
Err(StaleMemberEpoch)
