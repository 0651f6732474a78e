topic name=ta partitions=2
----

topic name=tb partitions=2
----

topic name=other partitions=2
----

consumer_settings assignment_interval_ms=0
----

beat member=a regex=t.*
----
a epoch=2 interval=5000 assignment=1:0+1,2:0+1
record g member a client=c host=/127.0.0.1 topics= rebalance=60000 regex="t.*"
record g regex t.* topics=ta+tb version=3 at=1000000
record g epoch 2 hash=150854319806049132
record g target of a 1:0+1,2:0+1
record g target 2 at=1000000
record g current of a epoch=2 previous=0 state=0 assigned=1:0@2+1@2,2:0@2+1@2 revoking=-
timer g Session("a") at 45s

beat member=b regex=t.*
----
b epoch=3 interval=5000 assignment=-
record g member b client=c host=/127.0.0.1 topics= rebalance=60000 regex="t.*"
record g epoch 3 hash=150854319806049132
record g target of a 1:0+1
record g target of b 2:0+1
record g target 3 at=1000000
record g current of b epoch=3 previous=0 state=2 assigned=- revoking=-
timer g Session("b") at 45s

# A new topic is found, but not at once.
topic name=tc partitions=1
----

beat member=a epoch=2 owned=1:0+1
----
a epoch=3 interval=5000 assignment=1:0+1
record g current of a epoch=3 previous=2 state=0 assigned=1:0@2+1@2 revoking=-

wait ms=10001
----

beat member=a epoch=3 owned=1:0+1
----
a epoch=4 interval=5000
record g regex t.* topics=ta+tb+tc version=4 at=1010001
record g epoch 4 hash=3180450852342292164
record g target of b 2:0+1,4:0
record g target 4 at=1010001
record g current of a epoch=4 previous=3 state=0 assigned=1:0@2+1@2 revoking=-
timer g Session("a") at 55.001s

beat member=b epoch=3
----
b epoch=4 interval=5000 assignment=2:0+1,4:0
record g current of b epoch=4 previous=3 state=0 assigned=2:0@4+1@4,4:0@4 revoking=-
timer g Session("b") at 55.001s

# A topic that does not match changes nothing.
topic name=another partitions=1
----

wait ms=10001
----

beat member=a epoch=4 owned=1:0+1
----
a epoch=4 interval=5000
timer g Session("a") at 65.002s

# Names as well.
beat member=b epoch=4 topics=other
----
b epoch=4 interval=5000 assignment=2:0,4:0
record g member b client=c host=/127.0.0.1 topics=other rebalance=60000 regex="t.*"
record g epoch 5 hash=-7928290308397601630
record g target of a 1:0+1,2:1
record g target of b 2:0,3:0+1,4:0
record g target 5 at=1020002
record g current of b epoch=4 previous=4 state=1 assigned=2:0@4,4:0@4 revoking=2:1@4
timer g Session("b") at 65.002s
timer g Rebalance("b") at 80.002s

beat member=a epoch=5 regex=o.*
----
FencedMemberEpoch The consumer group member has a greater member epoch (5) than the one known by the group coordinator (4). The member must abandon all its partitions and rejoin.

wait ms=10001
----

beat member=a epoch=5
----
FencedMemberEpoch The consumer group member has a greater member epoch (5) than the one known by the group coordinator (4). The member must abandon all its partitions and rejoin.

# Nobody subscribes to the first one any more.
beat member=b epoch=5 regex= owned=-
----
FencedMemberEpoch The consumer group member has a greater member epoch (5) than the one known by the group coordinator (4). The member must abandon all its partitions and rejoin.

beat member=a epoch=6 owned=-
----
FencedMemberEpoch The consumer group member has a greater member epoch (6) than the one known by the group coordinator (4). The member must abandon all its partitions and rejoin.

wait ms=1000
----

beat member=b epoch=-1
----
b epoch=-1 interval=0
tombstone g current of b
tombstone g target of b
tombstone g member b
record g epoch 6 hash=3180450852342292164
no timer g Session("b")
no timer g Rebalance("b")

beat member=a epoch=-1
----
a epoch=-1 interval=0
tombstone g current of a
tombstone g target of a
tombstone g member a
tombstone g regex t.*
record g epoch 7 hash=0
record g target 7 at=0
no timer g Session("a")
