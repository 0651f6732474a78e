topic name=t partitions=4
----

topic name=u partitions=2
----

consumer_settings assignment_interval_ms=0
----

beat member=a instance=i topics=t
----
a epoch=2 interval=5000 assignment=1:0+1+2+3
record g member a client=c host=/127.0.0.1 topics=t rebalance=60000 instance="i" regex=""
record g epoch 2 hash=-954534464913970981
record g target of a 1:0+1+2+3
record g target 2 at=1000000
record g current of a epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer g Session("a") at 45s

beat member=b instance=j topics=t
----
b epoch=3 interval=5000 assignment=-
record g member b client=c host=/127.0.0.1 topics=t rebalance=60000 instance="j" regex=""
record g epoch 3 hash=-954534464913970981
record g target of a 1:0+1
record g target of b 1:2+3
record g target 3 at=1000000
record g current of b epoch=3 previous=0 state=2 assigned=- revoking=-
timer g Session("b") at 45s

# The instance id is taken.
beat member=c instance=i topics=t
----
UnreleasedInstanceId Static member c with instance id i cannot join the group because the instance id is owned by a member.

beat member=c instance=i epoch=2
----
FencedInstanceId Static member c with instance id i was fenced by member a.

beat member=c instance=k epoch=2
----
UnknownMemberId Instance id k is unknown.

beat member=a epoch=2 instance=i owned=1:0+1
----
a epoch=3 interval=5000 assignment=1:0+1
record g current of a epoch=3 previous=2 state=0 assigned=1:0@2+1@2 revoking=-

beat member=b epoch=3 instance=j
----
b epoch=3 interval=5000 assignment=1:2+3
record g current of b epoch=3 previous=3 state=0 assigned=1:2@3+3@3 revoking=-

# It goes, to come back with another id: nothing moves.
beat member=a epoch=-2 instance=i
----
a epoch=-2 interval=0
record g current of a epoch=-2 previous=2 state=0 assigned=1:0@0+1@0 revoking=-

describe_consumer
----
Reconciling epoch=3 assignment_epoch=3 assignor=uniform
  member a epoch=-2 client=c host=/127.0.0.1 topics=t regex="" instance="i" rack="" assigned=1:0+1 target=1:0+1
  member b epoch=3 client=c host=/127.0.0.1 topics=t regex="" instance="j" rack="" assigned=1:2+3 target=1:2+3

beat member=b epoch=3 instance=j
----
b epoch=3 interval=5000

beat member=c instance=i topics=t
----
c epoch=3 interval=5000 assignment=1:0+1
tombstone g current of a
tombstone g target of a
tombstone g member a
record g member c client=c host=/127.0.0.1 topics=t rebalance=60000 instance="i" regex=""
record g target of c 1:0+1
record g current of c epoch=0 previous=0 state=0 assigned=1:0@0+1@0 revoking=-
record g current of c epoch=3 previous=0 state=0 assigned=1:0@0+1@0 revoking=-
no timer g Session("a")
timer g Session("c") at 45s

describe_consumer
----
Stable epoch=3 assignment_epoch=3 assignor=uniform
  member b epoch=3 client=c host=/127.0.0.1 topics=t regex="" instance="j" rack="" assigned=1:2+3 target=1:2+3
  member c epoch=3 client=c host=/127.0.0.1 topics=t regex="" instance="i" rack="" assigned=1:0+1 target=1:0+1

beat member=a epoch=3 instance=i
----
FencedInstanceId Static member a with instance id i was fenced by member c.

# It comes back and wants something else.
beat member=c epoch=-2 instance=i
----
c epoch=-2 interval=0
record g current of c epoch=-2 previous=0 state=0 assigned=1:0@0+1@0 revoking=-

beat member=d instance=i topics=t,u
----
d epoch=4 interval=5000 assignment=1:0,2:0+1
tombstone g current of c
tombstone g target of c
tombstone g member c
record g member d client=c host=/127.0.0.1 topics=t rebalance=60000 instance="i" regex=""
record g target of d 1:0+1
record g current of d epoch=0 previous=0 state=0 assigned=1:0@0+1@0 revoking=-
record g member d client=c host=/127.0.0.1 topics=t+u rebalance=60000 instance="i" regex=""
record g epoch 4 hash=862896421059691064
record g target of b 1:1+2+3
record g target of d 1:0,2:0+1
record g target 4 at=1000000
record g current of d epoch=4 previous=0 state=0 assigned=1:0@0,2:0@4+1@4 revoking=-
no timer g Session("c")
timer g Session("d") at 45s

beat member=b epoch=3 instance=j
----
b epoch=4 interval=5000 assignment=1:1+2+3
record g current of b epoch=4 previous=3 state=0 assigned=1:1@4+2@3+3@3 revoking=-

# It goes and does not come back.
beat member=d epoch=-2 instance=i
----
d epoch=-2 interval=0
record g current of d epoch=-2 previous=0 state=0 assigned=1:0@0,2:0@0+1@0 revoking=-

wait ms=44000
----

beat member=b epoch=4 instance=j
----
b epoch=4 interval=5000
timer g Session("b") at 89s

wait ms=1000
----
tombstone g current of d
tombstone g target of d
tombstone g member d
record g epoch 5 hash=-954534464913970981
no timer g Session("d")

beat member=b epoch=4 instance=j
----
b epoch=5 interval=5000 assignment=1:0+1+2+3
record g target of b 1:0+1+2+3
record g target 5 at=1045000
record g current of b epoch=5 previous=4 state=0 assigned=1:0@5+1@4+2@3+3@3 revoking=-
timer g Session("b") at 90s

beat member=b epoch=-1 instance=j
----
b epoch=-1 interval=0
tombstone g current of b
tombstone g target of b
tombstone g member b
record g epoch 6 hash=0
record g target 6 at=0
no timer g Session("b")

# A full group has the place of a static member that comes back.
settings consumer_max_size=2
----

beat group=full member=d instance=x topics=t
----
d epoch=2 interval=5000 assignment=1:0+1+2+3
record full member d client=c host=/127.0.0.1 topics=t rebalance=60000 instance="x" regex=""
record full epoch 2 hash=-954534464913970981
record full target of d 1:0+1+2+3
record full target 2 at=1045000
record full current of d epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer full Session("d") at 90s

beat group=full member=e instance=y topics=t
----
e epoch=3 interval=5000 assignment=-
record full member e client=c host=/127.0.0.1 topics=t rebalance=60000 instance="y" regex=""
record full epoch 3 hash=-954534464913970981
record full target of d 1:0+1
record full target of e 1:2+3
record full target 3 at=1045000
record full current of e epoch=3 previous=0 state=2 assigned=- revoking=-
timer full Session("e") at 90s

beat group=full member=e epoch=-2 instance=y
----
e epoch=-2 interval=0
record full current of e epoch=-2 previous=0 state=2 assigned=- revoking=-

beat group=full member=f instance=y topics=t
----
f epoch=3 interval=5000 assignment=-
tombstone full current of e
tombstone full target of e
tombstone full member e
record full member f client=c host=/127.0.0.1 topics=t rebalance=60000 instance="y" regex=""
record full target of f 1:2+3
record full current of f epoch=0 previous=0 state=2 assigned=- revoking=-
record full current of f epoch=3 previous=0 state=2 assigned=- revoking=-
no timer full Session("e")
timer full Session("f") at 90s

beat group=full member=h instance=z topics=t
----
GroupMaxSizeReached The consumer group has reached its maximum capacity of 2 members.

# A member that takes another instance id frees the one that it had.
settings consumer_max_size=10
----

beat group=other member=k instance=one topics=t
----
k epoch=2 interval=5000 assignment=1:0+1+2+3
record other member k client=c host=/127.0.0.1 topics=t rebalance=60000 instance="one" regex=""
record other epoch 2 hash=-954534464913970981
record other target of k 1:0+1+2+3
record other target 2 at=1045000
record other current of k epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer other Session("k") at 90s

beat group=other member=k instance=two topics=t
----
k epoch=2 interval=5000 assignment=1:0+1+2+3
record other member k client=c host=/127.0.0.1 topics=t rebalance=60000 instance="two" regex=""

beat group=other member=l instance=one topics=t
----
l epoch=3 interval=5000 assignment=-
record other member l client=c host=/127.0.0.1 topics=t rebalance=60000 instance="one" regex=""
record other epoch 3 hash=-954534464913970981
record other target of k 1:0+1
record other target of l 1:2+3
record other target 3 at=1045000
record other current of l epoch=3 previous=0 state=2 assigned=- revoking=-
timer other Session("l") at 90s
