# Written by src/coordinator/consumer/random_stories.rs
consumer_settings assignment_interval_ms=1000
----

topic name=t id=1 racks=r1+r2,r2+r3,r1+r3,r1+r2
----

wait ms=1
----

beat member=o topics=t,u assignor=range
----
o epoch=2 interval=5000 assignment=1:0+1+2+3
record g member o client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex="" assignor="range"
record g epoch 2 hash=-4355006714224906720
record g target of o 1:0+1+2+3
record g target 2 at=1000001
record g current of o epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer g Session("o") at 45.001s

wait ms=1
----

beat member=n rack=r2 topics=u assignor=uniform
----
n epoch=2 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=u rebalance=60000 rack="r2" regex="" assignor="uniform"
record g epoch 3 hash=-4355006714224906720
record g current of n epoch=2 previous=0 state=0 assigned=- revoking=-
timer g Session("n") at 45.002s

wait ms=1
----

beat member=p instance=p rack=r1 topics=u assignor=uniform
----
p epoch=2 interval=5000 assignment=-
record g member p client=c host=/127.0.0.1 topics=u rebalance=60000 instance="p" rack="r1" regex="" assignor="uniform"
record g epoch 4 hash=-4355006714224906720
record g current of p epoch=2 previous=0 state=0 assigned=- revoking=-
timer g Session("p") at 45.003s

wait ms=1
----

describe_consumer
----
Assigning epoch=4 assignment_epoch=2 assignor=uniform
  member n epoch=2 client=c host=/127.0.0.1 topics=u regex="" instance="" rack="r2" assigned=- target=-
  member o epoch=2 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=1:0+1+2+3 target=1:0+1+2+3
  member p epoch=2 client=c host=/127.0.0.1 topics=u regex="" instance="p" rack="r1" assigned=- target=-

wait ms=1
----

beat member=m rack=r1 topics=t,u,v
----
m epoch=2 interval=5000 assignment=-
record g member m client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 rack="r1" regex=""
record g epoch 5 hash=-4355006714224906720
record g current of m epoch=2 previous=0 state=0 assigned=- revoking=-
timer g Session("m") at 45.005s

wait ms=1
----

wait ms=28501
----

wait ms=1
----

beat member=m epoch=2
----
m epoch=5 interval=5000
record g target of m 1:2+3
record g target of n -
record g target of o 1:0+1
record g target of p -
record g target 5 at=1028508
record g current of m epoch=5 previous=2 state=2 assigned=- revoking=-
timer g Session("m") at 73.508s

wait ms=1
----

commit member=m generation=5 offsets=t-0:17
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=17 leader_epoch=-1 metadata="" committed=1028509 expires=-1

wait ms=1
----

describe_consumer
----
Reconciling epoch=5 assignment_epoch=5 assignor=uniform
  member m epoch=5 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="r1" assigned=- target=1:2+3
  member n epoch=2 client=c host=/127.0.0.1 topics=u regex="" instance="" rack="r2" assigned=- target=-
  member o epoch=2 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=1:0+1+2+3 target=1:0+1
  member p epoch=2 client=c host=/127.0.0.1 topics=u regex="" instance="p" rack="r1" assigned=- target=-

wait ms=1
----

beat member=o epoch=2 owned=1:0+1+2+3
----
o epoch=2 interval=5000 assignment=1:0+1
record g current of o epoch=2 previous=2 state=1 assigned=1:0@2+1@2 revoking=1:2@2+3@2
timer g Session("o") at 73.511s
timer g Rebalance("o") at 88.511s

wait ms=1
----

beat member=q instance=q topics=t,u,v assignor=range
----
q epoch=5 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 instance="q" regex="" assignor="range"
record g epoch 6 hash=-4355006714224906720
record g current of q epoch=5 previous=0 state=0 assigned=- revoking=-
timer g Session("q") at 73.512s

wait ms=1
----

beat member=o epoch=2 owned=1:0+1
----
o epoch=5 interval=5000
record g current of o epoch=5 previous=2 state=0 assigned=1:0@2+1@2 revoking=-
no timer g Rebalance("o")
timer g Session("o") at 73.513s

wait ms=1
----

beat member=m epoch=5 owned=-
----
m epoch=5 interval=5000 assignment=1:2+3
record g current of m epoch=5 previous=5 state=0 assigned=1:2@5+3@5 revoking=-
timer g Session("m") at 73.514s

wait ms=1
----

beat member=m epoch=-1 owned=1:2
----
m epoch=-1 interval=0
tombstone g current of m
tombstone g target of m
tombstone g member m
record g epoch 7 hash=-4355006714224906720
no timer g Session("m")

wait ms=1
----

commit member=n generation=2 offsets=t-0:31
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=31 leader_epoch=-1 metadata="" committed=1028516 expires=-1

wait ms=1
----

beat member=p epoch=2 instance=p owned=-
----
p epoch=5 interval=5000
record g current of p epoch=5 previous=2 state=0 assigned=- revoking=-
timer g Session("p") at 73.517s

wait ms=1
----

wait ms=4393
----

wait ms=1
----

beat member=o epoch=5 owned=1:0+1
----
o epoch=7 interval=5000
record g target of q 1:2+3
record g target 7 at=1032912
record g current of o epoch=7 previous=5 state=0 assigned=1:0@2+1@2 revoking=-
timer g Session("o") at 77.912s

wait ms=1
----

beat member=o topics=v assignor=uniform
----
o epoch=7 interval=5000 assignment=-
record g member o client=c host=/127.0.0.1 topics=v rebalance=60000 regex="" assignor="uniform"
record g epoch 8 hash=-4355006714224906720
record g current of o epoch=7 previous=7 state=0 assigned=- revoking=-
timer g Session("o") at 77.913s

wait ms=1
----

beat member=o epoch=7 owned=-
----
o epoch=7 interval=5000
timer g Session("o") at 77.914s

wait ms=1
----

beat member=m topics=t,u,v assignor=range
----
m epoch=7 interval=5000 assignment=-
record g member m client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 regex="" assignor="range"
record g epoch 9 hash=-4355006714224906720
record g current of m epoch=7 previous=0 state=0 assigned=- revoking=-
timer g Session("m") at 77.915s

wait ms=1
----

beat member=q epoch=5 instance=q owned=-
----
q epoch=7 interval=5000 assignment=1:2+3
record g current of q epoch=7 previous=5 state=0 assigned=1:2@7+3@7 revoking=-
timer g Session("q") at 77.916s

wait ms=1
----

beat member=m epoch=7 owned=-
----
m epoch=7 interval=5000
timer g Session("m") at 77.917s

wait ms=1
----

beat member=n epoch=2 owned=-
----
n epoch=7 interval=5000
record g current of n epoch=7 previous=2 state=0 assigned=- revoking=-
timer g Session("n") at 77.918s

wait ms=1
----

topic name=v id=901 racks=r1+r3
----

wait ms=1
----

wait ms=7059
----

wait ms=1
----

beat member=o epoch=-1 owned=-
----
o epoch=-1 interval=0
tombstone g current of o
tombstone g target of o
tombstone g member o
record g epoch 10 hash=2494728262526150446
no timer g Session("o")

wait ms=1
----

beat member=n epoch=7 owned=-
----
n epoch=10 interval=5000
record g target of m 1:0+1
record g target of q 1:2+3,901:0
record g target 10 at=1039981
record g current of n epoch=10 previous=7 state=0 assigned=- revoking=-
timer g Session("n") at 84.981s

wait ms=1
----

beat member=o rack=r1 topics=v assignor=range
----
o epoch=10 interval=5000 assignment=-
record g member o client=c host=/127.0.0.1 topics=v rebalance=60000 rack="r1" regex="" assignor="range"
record g epoch 11 hash=2494728262526150446
record g current of o epoch=10 previous=0 state=0 assigned=- revoking=-
timer g Session("o") at 84.982s

wait ms=1
----

beat member=q epoch=7 instance=q owned=1:2+3
----
q epoch=10 interval=5000 assignment=1:2+3,901:0
record g current of q epoch=10 previous=7 state=0 assigned=1:2@7+3@7,901:0@10 revoking=-
timer g Session("q") at 84.983s

wait ms=1
----

beat member=m epoch=7 owned=-
----
m epoch=10 interval=5000 assignment=1:0+1
record g current of m epoch=10 previous=7 state=0 assigned=1:0@10+1@10 revoking=-
timer g Session("m") at 84.984s

wait ms=1
----

beat member=q epoch=10 instance=q
----
q epoch=10 interval=5000
timer g Session("q") at 84.985s

wait ms=1
----

beat member=q epoch=10 instance=q owned=1:2+3,901:0
----
q epoch=10 interval=5000
timer g Session("q") at 84.986s

wait ms=1
----

beat member=p epoch=5 instance=p owned=-
----
p epoch=10 interval=5000
record g current of p epoch=10 previous=5 state=0 assigned=- revoking=-
timer g Session("p") at 84.987s

wait ms=1
----

commit member=m generation=10 offsets=t-0:71
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=71 leader_epoch=-1 metadata="" committed=1039988 expires=-1

wait ms=1
----

beat member=p epoch=10 instance=p
----
p epoch=10 interval=5000
timer g Session("p") at 84.989s

wait ms=1
----

beat member=q epoch=10 instance=q owned=1:2+3,901:0
----
q epoch=10 interval=5000
timer g Session("q") at 84.99s

wait ms=1
----

beat member=n epoch=10
----
n epoch=10 interval=5000
timer g Session("n") at 84.991s

wait ms=1
----

beat member=o epoch=10 owned=-
----
o epoch=10 interval=5000
timer g Session("o") at 84.992s

wait ms=1
----

topic name=v id=901 racks=r1+r3,r2+r3
----

wait ms=1
----

topic name=v id=901 racks=r2+r3,r1+r2,r1+r2,r1+r3,r2+r3
----

wait ms=1
----

wait ms=4170
----

wait ms=1
----

beat member=p epoch=10 instance=p
----
p epoch=12 interval=5000
record g epoch 12 hash=-4643699430995415584
record g target of m 1:2+3,901:2+3
record g target of o 901:4
record g target of q 1:0+1,901:0+1
record g target 12 at=1044166
record g current of p epoch=12 previous=10 state=0 assigned=- revoking=-
timer g Session("p") at 89.166s

wait ms=1
----

beat member=q instance=q topics=t
----
UnreleasedInstanceId Static member q with instance id q cannot join the group because the instance id is owned by q member.

wait ms=1
----

beat member=o epoch=10 owned=-
----
o epoch=12 interval=5000 assignment=901:4
record g current of o epoch=12 previous=10 state=0 assigned=901:4@12 revoking=-
timer g Session("o") at 89.168s

wait ms=1
----

wait ms=29125
----

wait ms=1
----

beat member=n epoch=10 owned=- topics=t assignor=uniform
----
n epoch=13 interval=5000
record g member n client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r2" regex="" assignor="uniform"
record g epoch 13 hash=-4643699430995415584
record g target of m 1:2,901:2+3
record g target of n 1:3
record g target 13 at=1073295
record g current of n epoch=13 previous=10 state=2 assigned=- revoking=-
timer g Session("n") at 118.295s

wait ms=1
----

describe_consumer
----
Reconciling epoch=13 assignment_epoch=13 assignor=range
  member m epoch=10 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=1:0+1 target=1:2,901:2+3
  member n epoch=13 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r2" assigned=- target=1:3
  member o epoch=12 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="r1" assigned=901:4 target=901:4
  member p epoch=12 client=c host=/127.0.0.1 topics=u regex="" instance="p" rack="r1" assigned=- target=-
  member q epoch=10 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="q" rack="" assigned=1:2+3,901:0 target=1:0+1,901:0+1

wait ms=1
----

wait ms=6402
----

wait ms=1
----

beat member=n epoch=13 owned=- topics=t
----
n epoch=13 interval=5000
record g current of n epoch=13 previous=13 state=2 assigned=- revoking=-
timer g Session("n") at 124.7s

wait ms=1
----

topic name=u id=953 racks=r1+r3,r1+r3
----

wait ms=1
----

beat member=p epoch=-1 instance=p owned=-
----
p epoch=-1 interval=0
tombstone g current of p
tombstone g target of p
tombstone g member p
record g epoch 14 hash=-1283618501892728722
no timer g Session("p")

wait ms=1
----

describe_consumer
----
Assigning epoch=14 assignment_epoch=13 assignor=range
  member m epoch=10 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=1:0+1 target=1:2,901:2+3
  member n epoch=13 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r2" assigned=- target=1:3
  member o epoch=12 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="r1" assigned=901:4 target=901:4
  member q epoch=10 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="q" rack="" assigned=1:2+3,901:0 target=1:0+1,901:0+1

wait ms=1
----

beat member=o epoch=12
----
o epoch=14 interval=5000
record g target of m 1:2,901:2+3,953:1
record g target of q 1:0+1,901:0+1,953:0
record g target 14 at=1079704
record g current of o epoch=14 previous=12 state=0 assigned=901:4@12 revoking=-
timer g Session("o") at 124.704s

wait ms=1
----

beat member=m epoch=10 owned=1:0+1
----
m epoch=10 interval=5000 assignment=-
record g current of m epoch=10 previous=10 state=1 assigned=- revoking=1:0@10+1@10
timer g Session("m") at 124.705s
timer g Rebalance("m") at 139.705s

wait ms=1
----

describe_consumer
----
Reconciling epoch=14 assignment_epoch=14 assignor=range
  member m epoch=10 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=1:0+1 target=1:2,901:2+3,953:1
  member n epoch=13 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r2" assigned=- target=1:3
  member o epoch=14 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="r1" assigned=901:4 target=901:4
  member q epoch=10 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="q" rack="" assigned=1:2+3,901:0 target=1:0+1,901:0+1,953:0

wait ms=1
----

beat member=p instance=p topics=u assignor=uniform
----
p epoch=14 interval=5000 assignment=-
record g member p client=c host=/127.0.0.1 topics=u rebalance=60000 instance="p" regex="" assignor="uniform"
record g epoch 15 hash=-1283618501892728722
record g current of p epoch=14 previous=0 state=0 assigned=- revoking=-
timer g Session("p") at 124.707s

wait ms=1
----

beat member=n epoch=13
----
n epoch=14 interval=5000
record g current of n epoch=14 previous=13 state=2 assigned=- revoking=-
timer g Session("n") at 124.708s

wait ms=1
----

beat member=n epoch=14
----
n epoch=14 interval=5000
record g current of n epoch=14 previous=14 state=2 assigned=- revoking=-
timer g Session("n") at 124.709s

wait ms=1
----

wait ms=58628
----
tombstone g current of q
tombstone g target of q
tombstone g member q
record g epoch 16 hash=-1283618501892728722
tombstone g current of o
tombstone g target of o
tombstone g member o
record g epoch 17 hash=-1283618501892728722
tombstone g current of m
tombstone g target of m
tombstone g member m
record g epoch 18 hash=5466267824161203197
tombstone g current of p
tombstone g target of p
tombstone g member p
record g epoch 19 hash=-4355006714224906720
tombstone g current of n
tombstone g target of n
tombstone g member n
record g epoch 20 hash=0
record g target 20 at=0
no timer g Session("m")
no timer g Session("n")
no timer g Session("o")
no timer g Session("p")
no timer g Session("q")
no timer g Rebalance("m")

wait ms=1
----

beat member=n rack=r1 topics=t
----
n epoch=21 interval=5000 assignment=1:0+1+2+3
record g member n client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r1" regex=""
record g epoch 21 hash=-4355006714224906720
record g target of n 1:0+1+2+3
record g target 21 at=1138339
record g current of n epoch=21 previous=0 state=0 assigned=1:0@21+1@21+2@21+3@21 revoking=-
timer g Session("n") at 183.339s

wait ms=1
----

beat member=o rack=r2 topics=v assignor=uniform
----
o epoch=21 interval=5000 assignment=-
record g member o client=c host=/127.0.0.1 topics=v rebalance=60000 rack="r2" regex="" assignor="uniform"
record g epoch 22 hash=-4643699430995415584
record g current of o epoch=21 previous=0 state=0 assigned=- revoking=-
timer g Session("o") at 183.34s

wait ms=1
----

beat member=q instance=q rack=r1 topics=t assignor=uniform
----
q epoch=21 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=t rebalance=60000 instance="q" rack="r1" regex="" assignor="uniform"
record g epoch 23 hash=-4643699430995415584
record g current of q epoch=21 previous=0 state=0 assigned=- revoking=-
timer g Session("q") at 183.341s

wait ms=1
----

beat member=o epoch=21 owned=-
----
o epoch=21 interval=5000
timer g Session("o") at 183.342s

wait ms=1
----

describe_consumer
----
Assigning epoch=23 assignment_epoch=21 assignor=uniform
  member n epoch=21 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r1" assigned=1:0+1+2+3 target=1:0+1+2+3
  member o epoch=21 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="r2" assigned=- target=-
  member q epoch=21 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="r1" assigned=- target=-

wait ms=1
----

beat member=p instance=p topics=t,u
----
p epoch=21 interval=5000 assignment=-
record g member p client=c host=/127.0.0.1 topics=t+u rebalance=60000 instance="p" regex=""
record g epoch 24 hash=-1283618501892728722
record g current of p epoch=21 previous=0 state=0 assigned=- revoking=-
timer g Session("p") at 183.344s

wait ms=1
----

beat member=p epoch=21 instance=p owned=-
----
p epoch=21 interval=5000
timer g Session("p") at 183.345s

wait ms=1
----

describe_consumer
----
Assigning epoch=24 assignment_epoch=21 assignor=uniform
  member n epoch=21 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r1" assigned=1:0+1+2+3 target=1:0+1+2+3
  member o epoch=21 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="r2" assigned=- target=-
  member p epoch=21 client=c host=/127.0.0.1 topics=t+u regex="" instance="p" rack="" assigned=- target=-
  member q epoch=21 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="r1" assigned=- target=-

wait ms=1
----

beat member=o epoch=21
----
o epoch=21 interval=5000
timer g Session("o") at 183.347s

wait ms=1
----

beat member=q epoch=21 instance=q owned=-
----
q epoch=21 interval=5000
timer g Session("q") at 183.348s

wait ms=1
----

beat member=p epoch=21 instance=p owned=-
----
p epoch=21 interval=5000
timer g Session("p") at 183.349s

wait ms=1
----

wait ms=4851
----

wait ms=1
----

beat member=o epoch=22 owned=-
----
FencedMemberEpoch The consumer group member has a greater member epoch (22) than the one known by the group coordinator (21). The member must abandon all its partitions and rejoin.

wait ms=1
----

beat member=m rack=r1 topics=t,u,v
----
m epoch=25 interval=5000 assignment=901:0+2+4
record g member m client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 rack="r1" regex=""
record g epoch 25 hash=-1283618501892728722
record g target of m 901:0+2+4
record g target of n 1:0+1
record g target of o 901:1+3
record g target of p 953:0+1
record g target of q 1:2+3
record g target 25 at=1143203
record g current of m epoch=25 previous=0 state=0 assigned=901:0@25+2@25+4@25 revoking=-
timer g Session("m") at 188.203s

wait ms=1
----

beat member=p instance=p topics=u
----
UnreleasedInstanceId Static member p with instance id p cannot join the group because the instance id is owned by p member.

wait ms=1
----

beat member=m epoch=25 owned=901:4
----
m epoch=25 interval=5000
timer g Session("m") at 188.205s

wait ms=1
----

beat member=m epoch=25
----
m epoch=25 interval=5000
timer g Session("m") at 188.206s

wait ms=1
----

topic name=u id=953 racks=r1+r3,r2+r3,r1+r2,r1+r3
----

wait ms=1
----

wait ms=3273
----

wait ms=1
----

beat member=p epoch=21 instance=p
----
p epoch=26 interval=5000 assignment=953:0+1+2+3
record g epoch 26 hash=5504838578382832468
record g target of p 953:0+1+2+3
record g target 26 at=1146482
record g current of p epoch=26 previous=21 state=0 assigned=953:0@26+1@26+2@26+3@26 revoking=-
timer g Session("p") at 191.482s

wait ms=1
----

beat member=n epoch=21 owned=1:0+1+2+3
----
n epoch=21 interval=5000 assignment=1:0+1
record g current of n epoch=21 previous=21 state=1 assigned=1:0@21+1@21 revoking=1:2@21+3@21
timer g Session("n") at 191.483s
timer g Rebalance("n") at 206.483s

wait ms=1
----

beat member=n epoch=21 owned=1:0+1
----
n epoch=26 interval=5000
record g current of n epoch=26 previous=21 state=0 assigned=1:0@21+1@21 revoking=-
no timer g Rebalance("n")
timer g Session("n") at 191.484s

wait ms=1
----

beat member=p epoch=26 instance=p
----
p epoch=26 interval=5000
timer g Session("p") at 191.485s

wait ms=1
----

describe_consumer
----
Reconciling epoch=26 assignment_epoch=26 assignor=uniform
  member m epoch=25 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="r1" assigned=901:0+2+4 target=901:0+2+4
  member n epoch=26 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r1" assigned=1:0+1 target=1:0+1
  member o epoch=21 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="r2" assigned=- target=901:1+3
  member p epoch=26 client=c host=/127.0.0.1 topics=t+u regex="" instance="p" rack="" assigned=953:0+1+2+3 target=953:0+1+2+3
  member q epoch=21 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="r1" assigned=- target=1:2+3

wait ms=1
----

beat member=n epoch=21
----
FencedMemberEpoch The consumer group member has a smaller member epoch (21) than the one known by the group coordinator (26). The member must abandon all its partitions and rejoin.

wait ms=1
----

beat member=p epoch=26 instance=p owned=953:1+2+3 topics=t,u,v
----
p epoch=26 interval=5000
record g member p client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 instance="p" regex=""
record g epoch 27 hash=5504838578382832468
timer g Session("p") at 191.488s

wait ms=1
----

beat member=o epoch=21 owned=-
----
o epoch=26 interval=5000 assignment=901:1+3
record g current of o epoch=26 previous=21 state=0 assigned=901:1@26+3@26 revoking=-
timer g Session("o") at 191.489s

wait ms=1
----

beat member=m epoch=25
----
m epoch=26 interval=5000
record g current of m epoch=26 previous=25 state=0 assigned=901:0@25+2@25+4@25 revoking=-
timer g Session("m") at 191.49s

wait ms=1
----

wait ms=7336
----

wait ms=1
----

beat member=p epoch=26 instance=p owned=953:0+1+2+3
----
p epoch=27 interval=5000
record g target 27 at=1153828
record g current of p epoch=27 previous=26 state=0 assigned=953:0@26+1@26+2@26+3@26 revoking=-
timer g Session("p") at 198.828s

wait ms=1
----

beat member=m epoch=26
----
m epoch=27 interval=5000
record g current of m epoch=27 previous=26 state=0 assigned=901:0@25+2@25+4@25 revoking=-
timer g Session("m") at 198.829s

wait ms=1
----

describe_consumer
----
Reconciling epoch=27 assignment_epoch=27 assignor=uniform
  member m epoch=27 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="r1" assigned=901:0+2+4 target=901:0+2+4
  member n epoch=26 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r1" assigned=1:0+1 target=1:0+1
  member o epoch=26 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="r2" assigned=901:1+3 target=901:1+3
  member p epoch=27 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="p" rack="" assigned=953:0+1+2+3 target=953:0+1+2+3
  member q epoch=21 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="r1" assigned=- target=1:2+3

wait ms=1
----

topic name=v id=901 racks=r1+r2,r1+r3,r2+r3,r1+r3,r1+r3,r1+r3,r1+r2
----

wait ms=1
----

beat member=n epoch=26
----
n epoch=27 interval=5000
record g epoch 28 hash=5741197211368726013
record g current of n epoch=27 previous=26 state=0 assigned=1:0@21+1@21 revoking=-
timer g Session("n") at 198.832s

wait ms=1
----

beat member=o epoch=26 owned=901:1+3
----
o epoch=27 interval=5000
record g current of o epoch=27 previous=26 state=0 assigned=901:1@26+3@26 revoking=-
timer g Session("o") at 198.833s

wait ms=1
----

wait ms=4938
----

wait ms=1
----

beat member=p epoch=27 instance=p owned=953:0+1+2+3
----
p epoch=28 interval=5000
record g target of o 901:1+3+5+6
record g target 28 at=1158773
record g current of p epoch=28 previous=27 state=0 assigned=953:0@26+1@26+2@26+3@26 revoking=-
timer g Session("p") at 203.773s

wait ms=1
----

beat member=n epoch=27 owned=1:1
----
n epoch=28 interval=5000
record g current of n epoch=28 previous=27 state=0 assigned=1:0@21+1@21 revoking=-
timer g Session("n") at 203.774s

wait ms=1
----

beat member=o epoch=27 owned=901:1+3 topics=t,u,v
----
o epoch=28 interval=5000 assignment=901:1+3+5+6
record g member o client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 rack="r2" regex="" assignor="uniform"
record g epoch 29 hash=5741197211368726013
record g current of o epoch=28 previous=27 state=0 assigned=901:1@26+3@26+5@28+6@28 revoking=-
timer g Session("o") at 203.775s

wait ms=1
----

wait ms=8072
----

wait ms=1
----

wait ms=23966
----
tombstone g current of q
tombstone g target of q
tombstone g member q
record g epoch 30 hash=5741197211368726013
no timer g Session("q")

wait ms=1
----

drop_topic name=u
----

wait ms=1
----

beat member=q instance=q rack=r1 topics=u
----
q epoch=31 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=u rebalance=60000 instance="q" rack="r1" regex=""
record g epoch 31 hash=-5858075777001233100
record g target of o 901:1+3+5
record g target of p 1:2+3,901:6
record g target of q -
record g target 31 at=1190817
record g current of q epoch=31 previous=0 state=0 assigned=- revoking=-
timer g Session("q") at 235.817s

wait ms=1
----

beat member=o epoch=29 owned=901:3+5+6
----
FencedMemberEpoch The consumer group member has a greater member epoch (29) than the one known by the group coordinator (28). The member must abandon all its partitions and rejoin.

wait ms=1
----

wait ms=45900
----
tombstone g current of m
tombstone g target of m
tombstone g member m
record g epoch 32 hash=-5858075777001233100
tombstone g current of p
tombstone g target of p
tombstone g member p
record g epoch 33 hash=-5858075777001233100
tombstone g current of n
tombstone g target of n
tombstone g member n
record g epoch 34 hash=-5858075777001233100
tombstone g current of o
tombstone g target of o
tombstone g member o
record g epoch 35 hash=0
tombstone g current of q
tombstone g target of q
tombstone g member q
record g epoch 36 hash=0
record g target 36 at=0
no timer g Session("m")
no timer g Session("n")
no timer g Session("o")
no timer g Session("p")
no timer g Session("q")

wait ms=1
----

topic name=v id=901 racks=r2+r3,r1+r2,r1+r2,r1+r3,r1+r2,r1+r3,r1+r2,r1+r2
----

wait ms=1
----

beat member=m topics=u
----
m epoch=37 interval=5000 assignment=-
record g member m client=c host=/127.0.0.1 topics=u rebalance=60000 regex=""
record g epoch 37 hash=0
record g target of m -
record g target 37 at=1236721
record g current of m epoch=37 previous=0 state=0 assigned=- revoking=-
timer g Session("m") at 281.721s

wait ms=1
----

beat member=n rack=r1 topics=t assignor=uniform
----
n epoch=37 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r1" regex="" assignor="uniform"
record g epoch 38 hash=-4355006714224906720
record g current of n epoch=37 previous=0 state=0 assigned=- revoking=-
timer g Session("n") at 281.722s

wait ms=1
----

beat member=o rack=r2 topics=u
----
o epoch=37 interval=5000 assignment=-
record g member o client=c host=/127.0.0.1 topics=u rebalance=60000 rack="r2" regex=""
record g epoch 39 hash=-4355006714224906720
record g current of o epoch=37 previous=0 state=0 assigned=- revoking=-
timer g Session("o") at 281.723s

wait ms=1
----

wait ms=5982
----

wait ms=1
----

drop_topic name=t
----

wait ms=1
----

beat member=q instance=q topics=t
----
q epoch=40 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=t rebalance=60000 instance="q" regex=""
record g epoch 40 hash=0
record g target of n -
record g target of o -
record g target of q -
record g target 40 at=1242708
record g current of q epoch=40 previous=0 state=0 assigned=- revoking=-
timer g Session("q") at 287.708s

wait ms=1
----

beat member=o epoch=37 owned=-
----
o epoch=40 interval=5000
record g current of o epoch=40 previous=37 state=0 assigned=- revoking=-
timer g Session("o") at 287.709s

wait ms=1
----

wait ms=3359
----

wait ms=1
----

beat member=p instance=p topics=v
----
p epoch=41 interval=5000 assignment=901:0+1+2+3+4+5+6+7
record g member p client=c host=/127.0.0.1 topics=v rebalance=60000 instance="p" regex=""
record g epoch 41 hash=-5923567581150934549
record g target of p 901:0+1+2+3+4+5+6+7
record g target 41 at=1246070
record g current of p epoch=41 previous=0 state=0 assigned=901:0@41+1@41+2@41+3@41+4@41+5@41+6@41+7@41 revoking=-
timer g Session("p") at 291.07s

wait ms=1
----

wait ms=1878
----

wait ms=1
----

beat member=q epoch=40 instance=q owned=-
----
q epoch=41 interval=5000
record g current of q epoch=41 previous=40 state=0 assigned=- revoking=-
timer g Session("q") at 292.95s

wait ms=1
----

beat member=n epoch=37
----
n epoch=41 interval=5000
record g current of n epoch=41 previous=37 state=0 assigned=- revoking=-
timer g Session("n") at 292.951s

wait ms=1
----

beat member=n rack=r1 topics=t,u assignor=range
----
n epoch=42 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=t+u rebalance=60000 rack="r1" regex="" assignor="range"
record g epoch 42 hash=-5923567581150934549
record g target 42 at=1247952
record g current of n epoch=42 previous=41 state=0 assigned=- revoking=-
timer g Session("n") at 292.952s

wait ms=1
----

wait ms=1652
----

wait ms=1
----

beat member=o epoch=40 owned=-
----
o epoch=42 interval=5000
record g current of o epoch=42 previous=40 state=0 assigned=- revoking=-
timer g Session("o") at 294.606s

wait ms=1
----

describe_consumer
----
Reconciling epoch=42 assignment_epoch=42 assignor=range
  member m epoch=37 client=c host=/127.0.0.1 topics=u regex="" instance="" rack="" assigned=- target=-
  member n epoch=42 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=- target=-
  member o epoch=42 client=c host=/127.0.0.1 topics=u regex="" instance="" rack="r2" assigned=- target=-
  member p epoch=41 client=c host=/127.0.0.1 topics=v regex="" instance="p" rack="" assigned=901:0+1+2+3+4+5+6+7 target=901:0+1+2+3+4+5+6+7
  member q epoch=41 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="" assigned=- target=-

wait ms=1
----

beat member=q epoch=41 instance=q owned=-
----
q epoch=42 interval=5000
record g current of q epoch=42 previous=41 state=0 assigned=- revoking=-
timer g Session("q") at 294.608s

wait ms=1
----

beat member=o epoch=42 owned=-
----
o epoch=42 interval=5000
timer g Session("o") at 294.609s
