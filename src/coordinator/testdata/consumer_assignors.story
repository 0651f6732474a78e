# What assigns is what most members want, else the first of the broker's; the group's epoch rises when that changes.
topic name=t partitions=6
----

topic name=u partitions=3
----

consumer_settings assignment_interval_ms=1000
----

beat member=a topics=t,u
----
a epoch=2 interval=5000 assignment=1:0+1+2+3+4+5,2:0+1+2
record g member a client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex=""
record g epoch 2 hash=-2469011891397402778
record g target of a 1:0+1+2+3+4+5,2:0+1+2
record g target 2 at=1000000
record g current of a epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2+4@2+5@2,2:0@2+1@2+2@2 revoking=-
timer g Session("a") at 45s

# The broker's first one, which is none's choice yet: nothing new.
beat member=a epoch=2 assignor=uniform
----
a epoch=2 interval=5000
record g member a client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex="" assignor="uniform"

# Another one: a new epoch, whose target waits for the interval.
beat member=a epoch=2 assignor=range
----
a epoch=2 interval=5000
record g member a client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex="" assignor="range"
record g epoch 3 hash=-2469011891397402778

describe_consumer
----
Assigning epoch=3 assignment_epoch=2 assignor=range
  member a epoch=2 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=1:0+1+2+3+4+5,2:0+1+2 target=1:0+1+2+3+4+5,2:0+1+2

wait ms=1000
----

beat member=a epoch=2
----
a epoch=3 interval=5000
record g target 3 at=1001000
record g current of a epoch=3 previous=2 state=0 assigned=1:0@2+1@2+2@2+3@2+4@2+5@2,2:0@2+1@2+2@2 revoking=-
timer g Session("a") at 46s

# A member that comes brings an epoch anyway, and with it its vote.
beat member=b topics=t,u assignor=range
----
b epoch=3 interval=5000 assignment=-
record g member b client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex="" assignor="range"
record g epoch 4 hash=-2469011891397402778
record g current of b epoch=3 previous=0 state=0 assigned=- revoking=-
timer g Session("b") at 46s

wait ms=1000
----

beat member=a epoch=3
----
a epoch=3 interval=5000 assignment=1:0+1+2,2:0+1
record g target of a 1:0+1+2,2:0+1
record g target of b 1:3+4+5,2:2
record g target 4 at=1002000
record g current of a epoch=3 previous=3 state=1 assigned=1:0@2+1@2+2@2,2:0@2+1@2 revoking=1:3@2+4@2+5@2,2:2@2
timer g Session("a") at 47s
timer g Rebalance("a") at 62s

beat member=a epoch=3 owned=1:0+1+2,2:0+1
----
a epoch=4 interval=5000
record g current of a epoch=4 previous=3 state=0 assigned=1:0@2+1@2+2@2,2:0@2+1@2 revoking=-
no timer g Rebalance("a")

beat member=b epoch=4
----
FencedMemberEpoch The consumer group member has a greater member epoch (4) than the one known by the group coordinator (3). The member must abandon all its partitions and rejoin.

describe_consumer
----
Reconciling epoch=4 assignment_epoch=4 assignor=range
  member a epoch=4 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=1:0+1+2,2:0+1 target=1:0+1+2,2:0+1
  member b epoch=3 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=- target=1:3+4+5,2:2

# One vote each: here the one who asks decides, and the group's own answer is uniform.
beat member=b epoch=4 assignor=uniform
----
FencedMemberEpoch The consumer group member has a greater member epoch (4) than the one known by the group coordinator (3). The member must abandon all its partitions and rejoin.

describe_consumer
----
Reconciling epoch=4 assignment_epoch=4 assignor=range
  member a epoch=4 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=1:0+1+2,2:0+1 target=1:0+1+2,2:0+1
  member b epoch=3 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=- target=1:3+4+5,2:2

# So it goes on with every heartbeat of the one who wants range,
wait ms=1000
----

beat member=a epoch=4
----
a epoch=4 interval=5000
timer g Session("a") at 48s

beat member=a epoch=6
----
FencedMemberEpoch The consumer group member has a greater member epoch (6) than the one known by the group coordinator (4). The member must abandon all its partitions and rejoin.

# but not with those of the other,
beat member=b epoch=4
----
FencedMemberEpoch The consumer group member has a greater member epoch (4) than the one known by the group coordinator (3). The member must abandon all its partitions and rejoin.

beat member=b epoch=6
----
FencedMemberEpoch The consumer group member has a greater member epoch (6) than the one known by the group coordinator (3). The member must abandon all its partitions and rejoin.

# until there are three.
beat member=c topics=t,u assignor=uniform
----
c epoch=5 interval=5000 assignment=1:4+5,2:2
record g member c client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex="" assignor="uniform"
record g epoch 5 hash=-2469011891397402778
record g target of a 1:0+1,2:0
record g target of b 1:2+3,2:1
record g target of c 1:4+5,2:2
record g target 5 at=1003000
record g current of c epoch=5 previous=0 state=0 assigned=1:4@5+5@5,2:2@5 revoking=-
timer g Session("c") at 48s

wait ms=1000
----

beat member=a epoch=6
----
FencedMemberEpoch The consumer group member has a greater member epoch (6) than the one known by the group coordinator (4). The member must abandon all its partitions and rejoin.

beat member=a epoch=6
----
FencedMemberEpoch The consumer group member has a greater member epoch (6) than the one known by the group coordinator (4). The member must abandon all its partitions and rejoin.

describe_consumer
----
Reconciling epoch=5 assignment_epoch=5 assignor=range
  member a epoch=4 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=1:0+1+2,2:0+1 target=1:0+1,2:0
  member b epoch=3 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=- target=1:2+3,2:1
  member c epoch=5 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=1:4+5,2:2 target=1:4+5,2:2

# A member without a wish has no vote; of two each, uniform is the one.
beat member=d topics=t,u assignor=range
----
d epoch=6 interval=5000 assignment=-
record g member d client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex="" assignor="range"
record g epoch 6 hash=-2469011891397402778
record g target of c 1:4,2:2
record g target of d 1:5
record g target 6 at=1004000
record g current of d epoch=6 previous=0 state=2 assigned=- revoking=-
timer g Session("d") at 49s

wait ms=1000
----

beat member=a epoch=6
----
FencedMemberEpoch The consumer group member has a greater member epoch (6) than the one known by the group coordinator (4). The member must abandon all its partitions and rejoin.

beat member=d epoch=9
----
FencedMemberEpoch The consumer group member has a greater member epoch (9) than the one known by the group coordinator (6). The member must abandon all its partitions and rejoin.

beat member=e topics=t,u instance=i
----
e epoch=7 interval=5000 assignment=-
record g member e client=c host=/127.0.0.1 topics=t+u rebalance=60000 instance="i" regex=""
record g epoch 7 hash=-2469011891397402778
record g target of a 1:2,2:1
record g target of b 1:3,2:2
record g target of c 1:4
record g target of e 1:0+1,2:0
record g target 7 at=1005000
record g current of e epoch=7 previous=0 state=2 assigned=- revoking=-
timer g Session("e") at 50s

beat member=e epoch=-2 instance=i
----
e epoch=-2 interval=0
record g current of e epoch=-2 previous=0 state=2 assigned=- revoking=-

# A static member that comes back keeps its vote.
beat member=f topics=t,u instance=i assignor=range
----
f epoch=7 interval=5000 assignment=-
tombstone g current of e
tombstone g target of e
tombstone g member e
record g member f client=c host=/127.0.0.1 topics=t+u rebalance=60000 instance="i" regex=""
record g target of f 1:0+1,2:0
record g current of f epoch=0 previous=0 state=2 assigned=- revoking=-
record g member f client=c host=/127.0.0.1 topics=t+u rebalance=60000 instance="i" regex="" assignor="range"
record g current of f epoch=7 previous=0 state=2 assigned=- revoking=-
no timer g Session("e")
timer g Session("f") at 50s

beat member=f epoch=-2 instance=i
----
f epoch=-2 interval=0
record g current of f epoch=-2 previous=0 state=2 assigned=- revoking=-

beat member=g topics=t,u instance=i
----
g epoch=7 interval=5000 assignment=-
tombstone g current of f
tombstone g target of f
tombstone g member f
record g member g client=c host=/127.0.0.1 topics=t+u rebalance=60000 instance="i" regex="" assignor="range"
record g target of g 1:0+1,2:0
record g current of g epoch=0 previous=0 state=2 assigned=- revoking=-
record g current of g epoch=7 previous=0 state=2 assigned=- revoking=-
no timer g Session("f")
timer g Session("g") at 50s

# A member of the classic protocol has none.
join as=1 member=h protocols=range:t+u
----
record g member h client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex="" classic session=10000 protocols=range:[t+u]
record g epoch 8 hash=-2469011891397402778
record g current of h epoch=7 previous=0 state=0 assigned=- revoking=-
reply to 1: join None member=h generation=7 type=consumer protocol=range leader=
timer g Session("h") at 15s
timer g Sync("h") at 65s

describe_consumer
----
Assigning epoch=8 assignment_epoch=7 assignor=range
  member a epoch=4 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=1:0+1+2,2:0+1 target=1:2,2:1
  member b epoch=3 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=- target=1:3,2:2
  member c epoch=5 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=1:4+5,2:2 target=1:4
  member d epoch=6 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=- target=1:5
  member g epoch=7 client=c host=/127.0.0.1 topics=t+u regex="" instance="i" rack="" assigned=- target=1:0+1,2:0
  member h epoch=7 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=- target=- classic
