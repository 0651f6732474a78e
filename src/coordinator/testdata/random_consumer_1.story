# Written by src/coordinator/consumer/random_stories.rs
consumer_settings assignment_interval_ms=1000
----

topic name=t id=1 racks=r1+r2,r2+r3,r1+r3,r1+r2
----

wait ms=1
----

beat member=m rack=r2 topics=t,u assignor=range
----
m epoch=2 interval=5000 assignment=1:0+1+2+3
record g member m client=c host=/127.0.0.1 topics=t+u rebalance=60000 rack="r2" regex="" assignor="range"
record g epoch 2 hash=-4355006714224906720
record g target of m 1:0+1+2+3
record g target 2 at=1000001
record g current of m epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer g Session("m") at 45.001s

wait ms=1
----

beat member=o topics=v
----
o epoch=2 interval=5000 assignment=-
record g member o client=c host=/127.0.0.1 topics=v rebalance=60000 regex=""
record g epoch 3 hash=-4355006714224906720
record g current of o epoch=2 previous=0 state=0 assigned=- revoking=-
timer g Session("o") at 45.002s

wait ms=1
----

beat member=p instance=p topics=t
----
p epoch=2 interval=5000 assignment=-
record g member p client=c host=/127.0.0.1 topics=t rebalance=60000 instance="p" regex=""
record g epoch 4 hash=-4355006714224906720
record g current of p epoch=2 previous=0 state=0 assigned=- revoking=-
timer g Session("p") at 45.003s

wait ms=1
----

beat member=q instance=q topics=v
----
q epoch=2 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=v rebalance=60000 instance="q" regex=""
record g epoch 5 hash=-4355006714224906720
record g current of q epoch=2 previous=0 state=0 assigned=- revoking=-
timer g Session("q") at 45.004s

wait ms=1
----

beat member=m epoch=2
----
m epoch=2 interval=5000
timer g Session("m") at 45.005s

wait ms=1
----

beat member=q epoch=2 instance=q
----
q epoch=2 interval=5000
timer g Session("q") at 45.006s

wait ms=1
----

beat member=n rack=r2 topics=t
----
n epoch=2 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r2" regex=""
record g epoch 6 hash=-4355006714224906720
record g current of n epoch=2 previous=0 state=0 assigned=- revoking=-
timer g Session("n") at 45.007s

wait ms=1
----

beat member=p epoch=2 instance=p
----
p epoch=2 interval=5000
timer g Session("p") at 45.008s

wait ms=1
----

beat member=n epoch=2 owned=-
----
n epoch=2 interval=5000
timer g Session("n") at 45.009s

wait ms=1
----

commit member=m generation=2 offsets=t-0:21
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=21 leader_epoch=-1 metadata="" committed=1000010 expires=-1

wait ms=1
----

beat member=n epoch=2 owned=-
----
n epoch=2 interval=5000
timer g Session("n") at 45.011s

wait ms=1
----

describe_consumer
----
Assigning epoch=6 assignment_epoch=2 assignor=range
  member m epoch=2 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r2" assigned=1:0+1+2+3 target=1:0+1+2+3
  member n epoch=2 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r2" assigned=- target=-
  member o epoch=2 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="" assigned=- target=-
  member p epoch=2 client=c host=/127.0.0.1 topics=t regex="" instance="p" rack="" assigned=- target=-
  member q epoch=2 client=c host=/127.0.0.1 topics=v regex="" instance="q" rack="" assigned=- target=-

wait ms=1
----

beat member=p epoch=2 instance=p owned=-
----
p epoch=2 interval=5000
timer g Session("p") at 45.013s

wait ms=1
----

beat member=p epoch=2 instance=p
----
p epoch=2 interval=5000
timer g Session("p") at 45.014s

wait ms=1
----

wait ms=1551
----

wait ms=1
----

topic name=v id=383 racks=r1+r3,r1+r3
----

wait ms=1
----

commit member=m generation=2 offsets=t-0:35
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=35 leader_epoch=-1 metadata="" committed=1001568 expires=-1

wait ms=1
----

describe_consumer
----
Assigning epoch=6 assignment_epoch=2 assignor=range
  member m epoch=2 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r2" assigned=1:0+1+2+3 target=1:0+1+2+3
  member n epoch=2 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r2" assigned=- target=-
  member o epoch=2 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="" assigned=- target=-
  member p epoch=2 client=c host=/127.0.0.1 topics=t regex="" instance="p" rack="" assigned=- target=-
  member q epoch=2 client=c host=/127.0.0.1 topics=v regex="" instance="q" rack="" assigned=- target=-

wait ms=1
----

topic name=v id=383 racks=r2+r3,r2+r3,r1+r3,r1+r3
----

wait ms=1
----

beat member=n epoch=2 owned=-
----
n epoch=7 interval=5000
record g epoch 7 hash=8517463828483352679
record g target of m 1:2
record g target of n 1:3
record g target of o 383:2+3
record g target of p 1:0+1
record g target of q 383:0+1
record g target 7 at=1001571
record g current of n epoch=7 previous=2 state=2 assigned=- revoking=-
timer g Session("n") at 46.571s

wait ms=1
----

describe_consumer
----
Reconciling epoch=7 assignment_epoch=7 assignor=range
  member m epoch=2 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r2" assigned=1:0+1+2+3 target=1:2
  member n epoch=7 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r2" assigned=- target=1:3
  member o epoch=2 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="" assigned=- target=383:2+3
  member p epoch=2 client=c host=/127.0.0.1 topics=t regex="" instance="p" rack="" assigned=- target=1:0+1
  member q epoch=2 client=c host=/127.0.0.1 topics=v regex="" instance="q" rack="" assigned=- target=383:0+1

wait ms=1
----

beat member=p epoch=0 instance=p owned=-
----
InvalidRequest Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.

wait ms=1
----

beat member=n epoch=7 owned=-
----
n epoch=7 interval=5000
record g current of n epoch=7 previous=7 state=2 assigned=- revoking=-
timer g Session("n") at 46.574s

wait ms=1
----

beat member=q epoch=2 instance=q owned=-
----
q epoch=7 interval=5000 assignment=383:0+1
record g current of q epoch=7 previous=2 state=0 assigned=383:0@7+1@7 revoking=-
timer g Session("q") at 46.575s

wait ms=1
----

wait ms=200
----

wait ms=1
----

beat member=p epoch=2 instance=p owned=- topics=u
----
p epoch=7 interval=5000
record g member p client=c host=/127.0.0.1 topics=u rebalance=60000 instance="p" regex=""
record g epoch 8 hash=8517463828483352679
record g current of p epoch=7 previous=2 state=0 assigned=- revoking=-
timer g Session("p") at 46.777s

wait ms=1
----

beat member=o epoch=2 owned=-
----
o epoch=7 interval=5000 assignment=383:2+3
record g current of o epoch=7 previous=2 state=0 assigned=383:2@7+3@7 revoking=-
timer g Session("o") at 46.778s

wait ms=1
----

beat member=n epoch=7 owned=- topics=v
----
n epoch=7 interval=5000
record g member n client=c host=/127.0.0.1 topics=v rebalance=60000 rack="r2" regex=""
record g epoch 9 hash=8517463828483352679
record g current of n epoch=7 previous=7 state=0 assigned=- revoking=-
timer g Session("n") at 46.779s

wait ms=1
----

wait ms=40817
----

wait ms=1
----

beat member=q epoch=7 instance=q owned=383:0+1
----
q epoch=9 interval=5000
record g target of m 1:0+1+2+3
record g target of n 383:2
record g target of o 383:3
record g target of p -
record g target 9 at=1042598
record g current of q epoch=9 previous=7 state=0 assigned=383:0@7+1@7 revoking=-
timer g Session("q") at 87.598s

wait ms=1
----

beat member=o epoch=8 owned=383:2+3
----
FencedMemberEpoch The consumer group member has a greater member epoch (8) than the one known by the group coordinator (7). The member must abandon all its partitions and rejoin.

wait ms=1
----

wait ms=6003
----
tombstone g current of m
tombstone g target of m
tombstone g member m
record g epoch 10 hash=-2971942690111476391
tombstone g current of p
tombstone g target of p
tombstone g member p
record g epoch 11 hash=-2971942690111476391
tombstone g current of o
tombstone g target of o
tombstone g member o
record g epoch 12 hash=-2971942690111476391
tombstone g current of n
tombstone g target of n
tombstone g member n
record g epoch 13 hash=-2971942690111476391
no timer g Session("m")
no timer g Session("n")
no timer g Session("o")
no timer g Session("p")

wait ms=1
----

beat member=p instance=p topics=t,u
----
p epoch=14 interval=5000 assignment=1:0+1+2+3
record g member p client=c host=/127.0.0.1 topics=t+u rebalance=60000 instance="p" regex=""
record g epoch 14 hash=8517463828483352679
record g target of p 1:0+1+2+3
record g target of q 383:0+1+2+3
record g target 14 at=1048604
record g current of p epoch=14 previous=0 state=0 assigned=1:0@14+1@14+2@14+3@14 revoking=-
timer g Session("p") at 93.604s

wait ms=1
----

beat member=m rack=r1 topics=t,u assignor=range
----
m epoch=14 interval=5000 assignment=-
record g member m client=c host=/127.0.0.1 topics=t+u rebalance=60000 rack="r1" regex="" assignor="range"
record g epoch 15 hash=8517463828483352679
record g current of m epoch=14 previous=0 state=0 assigned=- revoking=-
timer g Session("m") at 93.605s

wait ms=1
----

wait ms=4783
----

wait ms=1
----

beat member=p epoch=14 instance=p owned=1:0
----
p epoch=15 interval=5000 assignment=1:0+1
record g target of m 1:2+3
record g target of p 1:0+1
record g target 15 at=1053390
record g current of p epoch=15 previous=14 state=0 assigned=1:0@14+1@14 revoking=-
timer g Session("p") at 98.39s

wait ms=1
----

beat member=n rack=r1 topics=u
----
n epoch=15 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=u rebalance=60000 rack="r1" regex=""
record g epoch 16 hash=8517463828483352679
record g current of n epoch=15 previous=0 state=0 assigned=- revoking=-
timer g Session("n") at 98.391s

wait ms=1
----

wait ms=8546
----

wait ms=1
----

beat member=q epoch=9 instance=q owned=383:0+1 topics=t
----
q epoch=9 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=t rebalance=60000 instance="q" regex=""
record g epoch 17 hash=-4355006714224906720
record g target of m 1:3
record g target of n -
record g target of q 1:2
record g target 17 at=1061939
record g current of q epoch=9 previous=9 state=1 assigned=- revoking=383:0@7+1@7
timer g Session("q") at 106.939s
timer g Rebalance("q") at 121.939s

wait ms=1
----

wait ms=2744
----

wait ms=1
----

describe_consumer
----
Reconciling epoch=17 assignment_epoch=17 assignor=range
  member m epoch=14 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=- target=1:3
  member n epoch=15 client=c host=/127.0.0.1 topics=u regex="" instance="" rack="r1" assigned=- target=-
  member p epoch=15 client=c host=/127.0.0.1 topics=t+u regex="" instance="p" rack="" assigned=1:0+1 target=1:0+1
  member q epoch=9 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="" assigned=383:0+1 target=1:2

wait ms=1
----

beat member=m epoch=14 owned=-
----
m epoch=17 interval=5000 assignment=1:3
record g current of m epoch=17 previous=14 state=0 assigned=1:3@17 revoking=-
timer g Session("m") at 109.686s

wait ms=1
----

beat member=o rack=r2 topics=t,u,v assignor=uniform
----
o epoch=18 interval=5000 assignment=383:2+3
record g member o client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 rack="r2" regex="" assignor="uniform"
record g epoch 18 hash=8517463828483352679
record g target of o 383:0+1+2+3
record g target 18 at=1064687
record g current of o epoch=18 previous=0 state=2 assigned=383:2@18+3@18 revoking=-
timer g Session("o") at 109.687s

wait ms=1
----

describe_consumer
----
Reconciling epoch=18 assignment_epoch=18 assignor=uniform
  member m epoch=17 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=1:3 target=1:3
  member n epoch=15 client=c host=/127.0.0.1 topics=u regex="" instance="" rack="r1" assigned=- target=-
  member o epoch=18 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="r2" assigned=383:2+3 target=383:0+1+2+3
  member p epoch=15 client=c host=/127.0.0.1 topics=t+u regex="" instance="p" rack="" assigned=1:0+1 target=1:0+1
  member q epoch=9 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="" assigned=383:0+1 target=1:2

wait ms=1
----

beat member=o epoch=-1 owned=383:2+3
----
o epoch=-1 interval=0
tombstone g current of o
tombstone g target of o
tombstone g member o
record g epoch 19 hash=-4355006714224906720
no timer g Session("o")

wait ms=1
----

beat member=p epoch=15 instance=p owned=1:0+1
----
p epoch=18 interval=5000
record g current of p epoch=18 previous=15 state=0 assigned=1:0@14+1@14 revoking=-
timer g Session("p") at 109.69s

wait ms=1
----

beat member=n epoch=15
----
n epoch=18 interval=5000
record g current of n epoch=18 previous=15 state=0 assigned=- revoking=-
timer g Session("n") at 109.691s

wait ms=1
----

topic name=v id=383 racks=r2+r3,r2+r3,r1+r3,r1+r2,r1+r3,r1+r2,r2+r3
----

wait ms=1
----

beat member=m epoch=17 owned=-
----
m epoch=18 interval=5000
record g current of m epoch=18 previous=17 state=0 assigned=1:3@17 revoking=-
timer g Session("m") at 109.693s

wait ms=1
----

wait ms=814
----

wait ms=1
----

wait ms=226
----

wait ms=1
----

beat member=o topics=u
----
o epoch=20 interval=5000 assignment=-
record g member o client=c host=/127.0.0.1 topics=u rebalance=60000 regex=""
record g epoch 20 hash=-4355006714224906720
record g target of o -
record g target 20 at=1065736
record g current of o epoch=20 previous=0 state=0 assigned=- revoking=-
timer g Session("o") at 110.736s

wait ms=1
----

beat member=n epoch=18 owned=-
----
n epoch=20 interval=5000
record g current of n epoch=20 previous=18 state=0 assigned=- revoking=-
timer g Session("n") at 110.737s

wait ms=1
----

beat member=p epoch=18 instance=p owned=1:0+1
----
p epoch=20 interval=5000
record g current of p epoch=20 previous=18 state=0 assigned=1:0@14+1@14 revoking=-
timer g Session("p") at 110.738s

wait ms=1
----

beat member=n epoch=20 owned=-
----
n epoch=20 interval=5000
timer g Session("n") at 110.739s

wait ms=1
----

beat member=m rack=r1 topics=u
----
m epoch=20 interval=5000 assignment=-
record g member m client=c host=/127.0.0.1 topics=u rebalance=60000 rack="r1" regex="" assignor="range"
record g epoch 21 hash=-4355006714224906720
record g current of m epoch=20 previous=18 state=0 assigned=- revoking=-
timer g Session("m") at 110.74s

wait ms=1
----

beat member=o epoch=21 owned=-
----
FencedMemberEpoch The consumer group member has a greater member epoch (21) than the one known by the group coordinator (20). The member must abandon all its partitions and rejoin.

wait ms=1
----

beat member=n epoch=20 owned=-
----
n epoch=20 interval=5000
timer g Session("n") at 110.742s

wait ms=1
----

beat member=q epoch=9 instance=q owned=- topics=t assignor=range
----
q epoch=20 interval=5000 assignment=1:2
record g member q client=c host=/127.0.0.1 topics=t rebalance=60000 instance="q" regex="" assignor="range"
record g current of q epoch=20 previous=9 state=0 assigned=1:2@20 revoking=-
no timer g Rebalance("q")
timer g Session("q") at 110.743s

wait ms=1
----

beat member=n rack=r2 topics=t
----
n epoch=20 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r2" regex=""
record g epoch 22 hash=-4355006714224906720
timer g Session("n") at 110.744s

wait ms=1
----

beat member=p epoch=20 instance=p owned=1:0+1
----
p epoch=20 interval=5000
timer g Session("p") at 110.745s

wait ms=1
----

beat member=q epoch=20 instance=q
----
q epoch=20 interval=5000
timer g Session("q") at 110.746s

wait ms=1
----

beat member=o epoch=20 owned=-
----
o epoch=20 interval=5000
timer g Session("o") at 110.747s

wait ms=1
----

beat member=p epoch=20 instance=p owned=1:0+1
----
p epoch=20 interval=5000
timer g Session("p") at 110.748s

wait ms=1
----

wait ms=1035
----

wait ms=1
----

wait ms=2683
----

wait ms=1
----

commit member=m generation=20 offsets=t-0:135
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=135 leader_epoch=-1 metadata="" committed=1069469 expires=-1

wait ms=1
----

beat member=o epoch=20 owned=- topics=u
----
o epoch=22 interval=5000
record g target of m -
record g target of n 1:3
record g target 22 at=1069470
record g current of o epoch=22 previous=20 state=0 assigned=- revoking=-
timer g Session("o") at 114.47s

wait ms=1
----

wait ms=6309
----

wait ms=1
----

wait ms=6452
----

wait ms=1
----

beat member=p epoch=20 instance=p owned=1:1
----
p epoch=22 interval=5000
record g current of p epoch=22 previous=20 state=0 assigned=1:0@14+1@14 revoking=-
timer g Session("p") at 127.234s

wait ms=1
----

beat member=m epoch=20 owned=- topics=u assignor=uniform
----
m epoch=23 interval=5000
record g member m client=c host=/127.0.0.1 topics=u rebalance=60000 rack="r1" regex="" assignor="uniform"
record g epoch 23 hash=-4355006714224906720
record g target 23 at=1082235
record g current of m epoch=23 previous=20 state=0 assigned=- revoking=-
timer g Session("m") at 127.235s

wait ms=1
----

beat member=n topics=t
----
n epoch=23 interval=5000 assignment=1:3
record g current of n epoch=23 previous=20 state=0 assigned=1:3@23 revoking=-
timer g Session("n") at 127.236s

wait ms=1
----

beat member=p epoch=22 instance=p owned=1:0+1
----
p epoch=23 interval=5000
record g current of p epoch=23 previous=22 state=0 assigned=1:0@14+1@14 revoking=-
timer g Session("p") at 127.237s

wait ms=1
----

beat member=m epoch=23 owned=-
----
m epoch=23 interval=5000
timer g Session("m") at 127.238s

wait ms=1
----

beat member=o epoch=22 owned=-
----
o epoch=23 interval=5000
record g current of o epoch=23 previous=22 state=0 assigned=- revoking=-
timer g Session("o") at 127.239s

wait ms=1
----

beat member=q instance=q rack=r1 topics=t,u,v
----
UnreleasedInstanceId Static member q with instance id q cannot join the group because the instance id is owned by q member.

wait ms=1
----

wait ms=4246
----

wait ms=1
----

beat member=p epoch=23 instance=p owned=1:0+1
----
p epoch=23 interval=5000
timer g Session("p") at 131.488s

wait ms=1
----

beat member=p epoch=23 instance=p owned=1:0 topics=t
----
p epoch=24 interval=5000
record g member p client=c host=/127.0.0.1 topics=t rebalance=60000 instance="p" regex=""
record g epoch 24 hash=-4355006714224906720
record g target 24 at=1086489
record g current of p epoch=24 previous=23 state=0 assigned=1:0@14+1@14 revoking=-
timer g Session("p") at 131.489s

wait ms=1
----

beat member=p epoch=24 instance=p
----
p epoch=24 interval=5000
timer g Session("p") at 131.49s

wait ms=1
----

beat member=n epoch=24 owned=-
----
FencedMemberEpoch The consumer group member has a greater member epoch (24) than the one known by the group coordinator (23). The member must abandon all its partitions and rejoin.

wait ms=1
----

topic name=t id=1 racks=r1+r2,r2+r3,r2+r3,r1+r2,r1+r3
----

wait ms=1
----

beat member=q epoch=20 instance=q owned=1:2
----
q epoch=24 interval=5000
record g epoch 25 hash=4156868163755051028
record g current of q epoch=24 previous=20 state=0 assigned=1:2@20 revoking=-
timer g Session("q") at 131.493s

wait ms=1
----

beat member=o epoch=24 owned=-
----
FencedMemberEpoch The consumer group member has a greater member epoch (24) than the one known by the group coordinator (23). The member must abandon all its partitions and rejoin.

wait ms=1
----

beat member=m epoch=23 owned=-
----
m epoch=24 interval=5000
record g current of m epoch=24 previous=23 state=0 assigned=- revoking=-
timer g Session("m") at 131.495s

wait ms=1
----

beat member=n epoch=23 owned=1:3
----
n epoch=24 interval=5000
record g current of n epoch=24 previous=23 state=0 assigned=1:3@23 revoking=-
timer g Session("n") at 131.496s

wait ms=1
----

beat member=m epoch=24 owned=-
----
m epoch=24 interval=5000
timer g Session("m") at 131.497s

wait ms=1
----

beat member=m epoch=24 owned=-
----
m epoch=24 interval=5000
timer g Session("m") at 131.498s

wait ms=1
----

beat member=p epoch=24 instance=p owned=1:0+1
----
p epoch=24 interval=5000
timer g Session("p") at 131.499s

wait ms=1
----

wait ms=7566
----

wait ms=1
----

wait ms=5304
----

wait ms=1
----

beat member=p epoch=24 instance=p owned=1:0+1
----
p epoch=25 interval=5000
record g target of q 1:2+4
record g target 25 at=1099372
record g current of p epoch=25 previous=24 state=0 assigned=1:0@14+1@14 revoking=-
timer g Session("p") at 144.372s

wait ms=1
----

beat member=m epoch=24
----
m epoch=25 interval=5000
record g current of m epoch=25 previous=24 state=0 assigned=- revoking=-
timer g Session("m") at 144.373s

wait ms=1
----

beat member=m epoch=25
----
m epoch=25 interval=5000
timer g Session("m") at 144.374s

wait ms=1
----

commit member=m generation=25 offsets=t-0:193
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=193 leader_epoch=-1 metadata="" committed=1099375 expires=-1

wait ms=1
----

beat member=q epoch=24 instance=q owned=1:2
----
q epoch=25 interval=5000 assignment=1:2+4
record g epoch 26 hash=4156868163755051028
record g current of q epoch=25 previous=24 state=0 assigned=1:2@20+4@25 revoking=-
timer g Session("q") at 144.376s

wait ms=1
----

beat member=p epoch=25 instance=p
----
p epoch=25 interval=5000
timer g Session("p") at 144.377s

wait ms=1
----

beat member=q epoch=25 instance=q
----
q epoch=25 interval=5000
record g epoch 27 hash=4156868163755051028
timer g Session("q") at 144.378s

wait ms=1
----

beat member=n epoch=24 owned=1:3
----
n epoch=25 interval=5000
record g current of n epoch=25 previous=24 state=0 assigned=1:3@23 revoking=-
timer g Session("n") at 144.379s

wait ms=1
----

topic name=u id=553 racks=r1+r2
----

wait ms=1
----

commit member=m generation=25 offsets=t-0:205
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=205 leader_epoch=-1 metadata="" committed=1099381 expires=-1

wait ms=1
----

drop_topic name=u
----

wait ms=1
----

beat member=n epoch=25 owned=1:3
----
n epoch=25 interval=5000
timer g Session("n") at 144.383s

wait ms=1
----

beat member=q epoch=25 instance=q owned=1:2+4
----
q epoch=25 interval=5000
record g epoch 28 hash=4156868163755051028
timer g Session("q") at 144.384s

wait ms=1
----

beat member=q epoch=25 instance=q owned=1:2+4
----
q epoch=25 interval=5000
record g epoch 29 hash=4156868163755051028
timer g Session("q") at 144.385s

wait ms=1
----

beat member=q epoch=25 instance=q owned=1:2+4
----
q epoch=25 interval=5000
record g epoch 30 hash=4156868163755051028
timer g Session("q") at 144.386s

wait ms=1
----

beat member=n epoch=25 owned=1:3
----
n epoch=25 interval=5000
timer g Session("n") at 144.387s

wait ms=1
----

beat member=o epoch=23
----
o epoch=25 interval=5000
record g current of o epoch=25 previous=23 state=0 assigned=- revoking=-
timer g Session("o") at 144.388s

wait ms=1
----

beat member=q epoch=25 instance=q owned=1:2
----
q epoch=25 interval=5000
record g epoch 31 hash=4156868163755051028
timer g Session("q") at 144.389s

wait ms=1
----

topic name=u id=573 racks=r1+r3,r1+r2,r1+r3
----

wait ms=1
----

beat member=o epoch=25
----
o epoch=25 interval=5000
record g epoch 32 hash=-5853255651997501323
timer g Session("o") at 144.391s

wait ms=1
----

beat member=q epoch=24 instance=q owned=1:2+4
----
q epoch=25 interval=5000
record g epoch 33 hash=-5853255651997501323
timer g Session("q") at 144.392s

wait ms=1
----

beat member=o epoch=25 topics=t,u
----
o epoch=25 interval=5000
record g member o client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex=""
record g epoch 34 hash=-5853255651997501323
timer g Session("o") at 144.393s

wait ms=1
----

topic name=t id=1 racks=r1+r3,r1+r3,r1+r2,r2+r3,r1+r2,r1+r3,r1+r2
----

wait ms=1
----

beat member=m epoch=25 owned=- topics=v
----
m epoch=25 interval=5000
record g member m client=c host=/127.0.0.1 topics=v rebalance=60000 rack="r1" regex="" assignor="uniform"
record g epoch 35 hash=-2573255935462542684
timer g Session("m") at 144.395s

wait ms=1
----

topic name=u id=573 racks=r1+r3,r1+r2,r1+r2,r2+r3,r1+r3,r2+r3
----

wait ms=1
----

beat member=o epoch=25 owned=-
----
o epoch=25 interval=5000
record g epoch 36 hash=5036297192159365298
timer g Session("o") at 144.397s

wait ms=1
----

wait ms=8757
----

wait ms=1
----

beat member=q epoch=25 instance=q owned=1:2+4
----
q epoch=25 interval=5000 assignment=1:2
record g epoch 37 hash=5036297192159365298
record g target of m 383:0+1+2+3+4+5+6
record g target of n 1:4+5
record g target of o 1:6,573:0+1+2+3+4+5
record g target of q 1:2+3
record g target 37 at=1108156
record g current of q epoch=25 previous=25 state=1 assigned=1:2@20 revoking=1:4@25
timer g Session("q") at 153.156s
timer g Rebalance("q") at 168.156s

wait ms=1
----

topic name=t id=1 racks=r1+r3,r2+r3,r1+r3,r2+r3,r2+r3,r1+r3,r1+r2,r1+r3,r1+r2
----

wait ms=1
----

wait ms=2042
----

wait ms=1
----

beat member=o epoch=25 owned=-
----
o epoch=38 interval=5000 assignment=573:0+1+2+3+4+5
record g epoch 38 hash=8950175498385890106
record g target of n 1:4+5+6
record g target of o 573:0+1+2+3+4+5
record g target of p 1:0+1+7
record g target of q 1:2+3+8
record g target 38 at=1110201
record g current of o epoch=38 previous=25 state=0 assigned=573:0@38+1@38+2@38+3@38+4@38+5@38 revoking=-
timer g Session("o") at 155.201s

wait ms=1
----

wait ms=1890
----
