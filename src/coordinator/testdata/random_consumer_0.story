# Written by src/coordinator/consumer/random_stories.rs
consumer_settings assignment_interval_ms=0
----

topic name=t id=1 racks=r1+r2,r2+r3,r1+r3,r1+r2
----

wait ms=1
----

beat member=m topics=t,u,v
----
m epoch=2 interval=5000 assignment=1:0+1+2+3
record g member m client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 regex=""
record g epoch 2 hash=-4355006714224906720
record g target of m 1:0+1+2+3
record g target 2 at=1000001
record g current of m epoch=2 previous=0 state=0 assigned=1:0@2+1@2+2@2+3@2 revoking=-
timer g Session("m") at 45.001s

wait ms=1
----

beat member=n rack=r1 topics=t
----
n epoch=3 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r1" regex=""
record g epoch 3 hash=-4355006714224906720
record g target of m 1:0+1
record g target of n 1:2+3
record g target 3 at=1000002
record g current of n epoch=3 previous=0 state=2 assigned=- revoking=-
timer g Session("n") at 45.002s

wait ms=1
----

beat member=o rack=r1 topics=t
----
o epoch=4 interval=5000 assignment=-
record g member o client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r1" regex=""
record g epoch 4 hash=-4355006714224906720
record g target of n 1:2
record g target of o 1:3
record g target 4 at=1000003
record g current of o epoch=4 previous=0 state=2 assigned=- revoking=-
timer g Session("o") at 45.003s

wait ms=1
----

beat member=n epoch=3 owned=-
----
n epoch=4 interval=5000
record g current of n epoch=4 previous=3 state=2 assigned=- revoking=-
timer g Session("n") at 45.004s

wait ms=1
----

describe_consumer
----
Reconciling epoch=4 assignment_epoch=4 assignor=uniform
  member m epoch=2 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=1:0+1+2+3 target=1:0+1
  member n epoch=4 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r1" assigned=- target=1:2
  member o epoch=4 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r1" assigned=- target=1:3

wait ms=1
----

beat member=p instance=p topics=t,u
----
p epoch=5 interval=5000 assignment=-
record g member p client=c host=/127.0.0.1 topics=t+u rebalance=60000 instance="p" regex=""
record g epoch 5 hash=-4355006714224906720
record g target of m 1:0
record g target of p 1:1
record g target 5 at=1000006
record g current of p epoch=5 previous=0 state=2 assigned=- revoking=-
timer g Session("p") at 45.006s

wait ms=1
----

beat member=q instance=q rack=r1 topics=t assignor=uniform
----
q epoch=6 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=t rebalance=60000 instance="q" rack="r1" regex="" assignor="uniform"
record g epoch 6 hash=-4355006714224906720
record g target of q -
record g target 6 at=1000007
record g current of q epoch=6 previous=0 state=0 assigned=- revoking=-
timer g Session("q") at 45.007s

wait ms=1
----

beat member=o epoch=4
----
o epoch=6 interval=5000
record g current of o epoch=6 previous=4 state=2 assigned=- revoking=-
timer g Session("o") at 45.008s

wait ms=1
----

beat member=n epoch=4 owned=-
----
n epoch=6 interval=5000
record g current of n epoch=6 previous=4 state=2 assigned=- revoking=-
timer g Session("n") at 45.009s

wait ms=1
----

wait ms=5371
----

wait ms=1
----

beat member=m epoch=2 owned=1:0+1+2+3
----
m epoch=2 interval=5000 assignment=1:0
record g current of m epoch=2 previous=2 state=1 assigned=1:0@2 revoking=1:1@2+2@2+3@2
timer g Session("m") at 50.382s
timer g Rebalance("m") at 65.382s

wait ms=1
----

beat member=o epoch=6 owned=-
----
o epoch=6 interval=5000
record g current of o epoch=6 previous=6 state=2 assigned=- revoking=-
timer g Session("o") at 50.383s

wait ms=1
----

wait ms=56950
----
tombstone g current of p
tombstone g target of p
tombstone g member p
record g epoch 7 hash=-4355006714224906720
tombstone g current of q
tombstone g target of q
tombstone g member q
record g epoch 8 hash=-4355006714224906720
tombstone g current of n
tombstone g target of n
tombstone g member n
record g epoch 9 hash=-4355006714224906720
tombstone g current of m
tombstone g target of m
tombstone g member m
record g epoch 10 hash=-4355006714224906720
tombstone g current of o
tombstone g target of o
tombstone g member o
record g epoch 11 hash=0
record g target 11 at=0
no timer g Session("m")
no timer g Session("n")
no timer g Session("o")
no timer g Session("p")
no timer g Session("q")
no timer g Rebalance("m")

wait ms=1
----

wait ms=7728
----

wait ms=1
----

beat member=m rack=r1 topics=t assignor=range
----
m epoch=12 interval=5000 assignment=1:0+1+2+3
record g member m client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r1" regex="" assignor="range"
record g epoch 12 hash=-4355006714224906720
record g target of m 1:0+1+2+3
record g target 12 at=1070064
record g current of m epoch=12 previous=0 state=0 assigned=1:0@12+1@12+2@12+3@12 revoking=-
timer g Session("m") at 115.064s

wait ms=1
----

beat member=n topics=v
----
n epoch=13 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=v rebalance=60000 regex=""
record g epoch 13 hash=-4355006714224906720
record g target of n -
record g target 13 at=1070065
record g current of n epoch=13 previous=0 state=0 assigned=- revoking=-
timer g Session("n") at 115.065s

wait ms=1
----

beat member=q instance=q topics=t assignor=uniform
----
q epoch=14 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=t rebalance=60000 instance="q" regex="" assignor="uniform"
record g epoch 14 hash=-4355006714224906720
record g target of m 1:0+1
record g target of q 1:2+3
record g target 14 at=1070066
record g current of q epoch=14 previous=0 state=2 assigned=- revoking=-
timer g Session("q") at 115.066s

wait ms=1
----

wait ms=3198
----

wait ms=1
----

wait ms=7513
----

wait ms=1
----

wait ms=5625
----

wait ms=1
----

wait ms=4635
----

wait ms=1
----

beat member=q epoch=-2 instance=q owned=- topics=v assignor=uniform
----
q epoch=-2 interval=0
record g current of q epoch=-2 previous=0 state=2 assigned=- revoking=-

wait ms=1
----

beat member=m epoch=12 owned=1:0+1+2+3
----
m epoch=12 interval=5000 assignment=1:2+3
record g epoch 15 hash=-4355006714224906720
record g target of m 1:2+3
record g target of q 1:0+1
record g target 15 at=1091043
record g current of m epoch=12 previous=12 state=1 assigned=1:2@12+3@12 revoking=1:0@12+1@12
timer g Session("m") at 136.043s
timer g Rebalance("m") at 151.043s

wait ms=1
----

beat member=q epoch=-2 instance=q owned=- topics=t assignor=range
----
q epoch=-2 interval=0
record g current of q epoch=-2 previous=0 state=2 assigned=- revoking=-

wait ms=1
----

beat member=n epoch=13 owned=-
----
n epoch=15 interval=5000
record g current of n epoch=15 previous=13 state=0 assigned=- revoking=-
timer g Session("n") at 136.045s

wait ms=1
----

beat member=n rack=r1 topics=u assignor=range
----
n epoch=16 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=u rebalance=60000 rack="r1" regex="" assignor="range"
record g epoch 16 hash=-4355006714224906720
record g target 16 at=1091046
record g current of n epoch=16 previous=15 state=0 assigned=- revoking=-
timer g Session("n") at 136.046s

wait ms=1
----

topic name=u id=155 racks=r1+r2,r1+r2
----

wait ms=1
----

beat member=q epoch=-2 instance=q owned=-
----
q epoch=-2 interval=0
record g current of q epoch=-2 previous=0 state=2 assigned=- revoking=-

wait ms=1
----

commit member=m generation=12 offsets=t-0:59
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=59 leader_epoch=-1 metadata="" committed=1091049 expires=-1

wait ms=1
----

wait ms=1746
----

wait ms=1
----

topic name=t id=1 racks=r1+r2,r1+r2,r1+r2,r1+r3,r1+r3
----

wait ms=1
----

beat member=q epoch=-2 instance=q
----
q epoch=-2 interval=0
record g current of q epoch=-2 previous=0 state=2 assigned=- revoking=-

wait ms=1
----

beat member=m epoch=12
----
m epoch=12 interval=5000
record g epoch 17 hash=4604089391958322122
record g target of m 1:3+4
record g target of n 155:0+1
record g target of q 1:0+1+2
record g target 17 at=1092799
timer g Session("m") at 137.799s

wait ms=1
----

commit member=m generation=12 offsets=t-0:69
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=69 leader_epoch=-1 metadata="" committed=1092800 expires=-1

wait ms=1
----

topic name=v id=171 racks=r2+r3,r1+r3,r2+r3
----

wait ms=1
----

beat member=q epoch=-2 instance=q owned=-
----
q epoch=-2 interval=0
record g current of q epoch=-2 previous=0 state=2 assigned=- revoking=-

wait ms=1
----

beat member=n epoch=16 owned=- topics=v
----
n epoch=18 interval=5000 assignment=171:0+1+2
record g member n client=c host=/127.0.0.1 topics=v rebalance=60000 rack="r1" regex="" assignor="range"
record g epoch 18 hash=-3987764475799993724
record g target of n 171:0+1+2
record g target 18 at=1092803
record g current of n epoch=18 previous=16 state=0 assigned=171:0@18+1@18+2@18 revoking=-
timer g Session("n") at 137.803s

wait ms=1
----

beat member=n epoch=18
----
n epoch=18 interval=5000
timer g Session("n") at 137.804s

wait ms=1
----

beat member=m epoch=12 owned=1:2+3
----
m epoch=12 interval=5000 assignment=1:3
record g current of m epoch=12 previous=12 state=1 assigned=1:3@12 revoking=1:2@12
timer g Session("m") at 137.805s
timer g Rebalance("m") at 152.805s

wait ms=1
----

topic name=v id=171 racks=r2+r3,r1+r2,r1+r2,r1+r3
----

wait ms=1
----

wait ms=6674
----

wait ms=1
----

beat member=o topics=t,u,v assignor=uniform
----
o epoch=19 interval=5000 assignment=155:0+1,171:3
record g member o client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 regex="" assignor="uniform"
record g epoch 19 hash=-2091746843452363174
record g target of o 155:0+1,171:3
record g target 19 at=1099482
record g current of o epoch=19 previous=0 state=0 assigned=155:0@19+1@19,171:3@19 revoking=-
timer g Session("o") at 144.482s

wait ms=1
----

commit member=m generation=12 offsets=t-0:87
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=87 leader_epoch=-1 metadata="" committed=1099483 expires=-1

wait ms=1
----

beat member=n topics=t,u assignor=range
----
n epoch=20 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=t+u rebalance=60000 rack="r1" regex="" assignor="range"
record g epoch 20 hash=-2091746843452363174
record g target of n 155:0+1,1:2
record g target of o 171:0+1+2+3
record g target of q 1:0+1
record g target 20 at=1099484
record g current of n epoch=20 previous=18 state=2 assigned=- revoking=-
timer g Session("n") at 144.484s

wait ms=1
----

describe_consumer
----
Reconciling epoch=20 assignment_epoch=20 assignor=uniform
  member m epoch=12 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r1" assigned=1:2+3 target=1:3+4
  member n epoch=20 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=- target=155:0+1,1:2
  member o epoch=19 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=155:0+1,171:3 target=171:0+1+2+3
  member q epoch=-2 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="" assigned=- target=1:0+1

wait ms=1
----

describe_consumer
----
Reconciling epoch=20 assignment_epoch=20 assignor=uniform
  member m epoch=12 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="r1" assigned=1:2+3 target=1:3+4
  member n epoch=20 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=- target=155:0+1,1:2
  member o epoch=19 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=155:0+1,171:3 target=171:0+1+2+3
  member q epoch=-2 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="" assigned=- target=1:0+1

wait ms=1
----

beat member=p instance=p rack=r2 topics=t
----
p epoch=21 interval=5000 assignment=-
record g member p client=c host=/127.0.0.1 topics=t rebalance=60000 instance="p" rack="r2" regex=""
record g epoch 21 hash=-2091746843452363174
record g target of n 155:0+1
record g target of p 1:2
record g target 21 at=1099487
record g current of p epoch=21 previous=0 state=2 assigned=- revoking=-
timer g Session("p") at 144.487s

wait ms=1
----

beat member=n epoch=20 owned=-
----
n epoch=21 interval=5000
record g current of n epoch=21 previous=20 state=2 assigned=- revoking=-
timer g Session("n") at 144.488s

wait ms=1
----

beat member=m epoch=13 owned=1:3
----
FencedMemberEpoch The consumer group member has a greater member epoch (13) than the one known by the group coordinator (12). The member must abandon all its partitions and rejoin.

wait ms=1
----

wait ms=1171
----

wait ms=1
----

beat member=o epoch=19 owned=155:0
----
o epoch=19 interval=5000 assignment=171:3
record g current of o epoch=19 previous=19 state=1 assigned=171:3@19 revoking=155:0@19+1@19
timer g Session("o") at 145.662s
timer g Rebalance("o") at 160.662s

wait ms=1
----

beat member=o epoch=19
----
o epoch=19 interval=5000
timer g Session("o") at 145.663s

wait ms=1
----

wait ms=376
----

wait ms=1
----

beat member=n epoch=20 owned=-
----
n epoch=21 interval=5000
record g current of n epoch=21 previous=21 state=2 assigned=- revoking=-
timer g Session("n") at 146.041s

wait ms=1
----

beat member=q epoch=-2 instance=q
----
q epoch=-2 interval=0
record g current of q epoch=-2 previous=0 state=2 assigned=- revoking=-

wait ms=1
----

wait ms=13155
----

wait ms=1
----

wait ms=836
----

wait ms=1
----

beat member=n epoch=21 owned=-
----
n epoch=21 interval=5000
timer g Session("n") at 160.036s

wait ms=1
----

wait ms=41098
----
tombstone g current of q
tombstone g target of q
tombstone g member q
record g epoch 22 hash=-2091746843452363174
tombstone g current of m
tombstone g target of m
tombstone g member m
record g epoch 23 hash=-2091746843452363174
tombstone g current of p
tombstone g target of p
tombstone g member p
record g epoch 24 hash=-2091746843452363174
tombstone g current of o
tombstone g target of o
tombstone g member o
record g epoch 25 hash=4604089391958322122
no timer g Session("m")
no timer g Session("o")
no timer g Session("p")
no timer g Session("q")
no timer g Rebalance("m")
no timer g Rebalance("o")

wait ms=1
----

beat member=m topics=u
----
m epoch=26 interval=5000 assignment=155:0
record g member m client=c host=/127.0.0.1 topics=u rebalance=60000 regex=""
record g epoch 26 hash=4604089391958322122
record g target of m 155:0
record g target of n 155:1,1:0+1+2+3+4
record g target 26 at=1156136
record g current of m epoch=26 previous=0 state=0 assigned=155:0@26 revoking=-
timer g Session("m") at 201.136s

wait ms=1
----

beat member=m epoch=-1 owned=155:0
----
m epoch=-1 interval=0
tombstone g current of m
tombstone g target of m
tombstone g member m
record g epoch 27 hash=4604089391958322122
no timer g Session("m")

wait ms=1
----

beat member=n epoch=21 owned=-
----
n epoch=27 interval=5000 assignment=155:0+1,1:0+1+2+3+4
record g target of n 155:0+1,1:0+1+2+3+4
record g target 27 at=1156138
record g current of n epoch=27 previous=21 state=0 assigned=155:0@27+1@27,1:0@27+1@27+2@27+3@27+4@27 revoking=-
timer g Session("n") at 201.138s

wait ms=1
----

beat member=n epoch=27
----
n epoch=27 interval=5000
timer g Session("n") at 201.139s

wait ms=1
----

beat member=n epoch=27
----
n epoch=27 interval=5000
timer g Session("n") at 201.14s

wait ms=1
----

beat member=o topics=t assignor=range
----
o epoch=28 interval=5000 assignment=-
record g member o client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" assignor="range"
record g epoch 28 hash=4604089391958322122
record g target of n 155:0+1,1:0+1+2
record g target of o 1:3+4
record g target 28 at=1156141
record g current of o epoch=28 previous=0 state=2 assigned=- revoking=-
timer g Session("o") at 201.141s

wait ms=1
----

beat member=m topics=t,u
----
m epoch=29 interval=5000 assignment=-
record g member m client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex=""
record g epoch 29 hash=4604089391958322122
record g target of m 155:0,1:0+1
record g target of n 155:1,1:2+3
record g target of o 1:4
record g target 29 at=1156142
record g current of m epoch=29 previous=0 state=2 assigned=- revoking=-
timer g Session("m") at 201.142s

wait ms=1
----

describe_consumer
----
Reconciling epoch=29 assignment_epoch=29 assignor=range
  member m epoch=29 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=- target=155:0,1:0+1
  member n epoch=27 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=155:0+1,1:0+1+2+3+4 target=155:1,1:2+3
  member o epoch=28 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=1:4

wait ms=1
----

wait ms=5134
----

wait ms=1
----

beat member=q instance=q rack=r1 topics=t,u
----
q epoch=30 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=t+u rebalance=60000 instance="q" rack="r1" regex=""
record g epoch 30 hash=4604089391958322122
record g target of m 155:1,1:2
record g target of n 1:3
record g target of q 155:0,1:0+1
record g target 30 at=1161279
record g current of q epoch=30 previous=0 state=2 assigned=- revoking=-
timer g Session("q") at 206.279s

wait ms=1
----

commit member=m generation=29 offsets=t-0:141
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=141 leader_epoch=-1 metadata="" committed=1161280 expires=-1

wait ms=1
----

topic name=u id=155 racks=r1+r3,r2+r3,r1+r3,r1+r2,r1+r2
----

wait ms=1
----

beat member=o epoch=28 owned=-
----
o epoch=31 interval=5000
record g epoch 31 hash=-2827788071079509743
record g target of m 155:2+3,1:2
record g target of n 155:4,1:3
record g target of q 155:0+1,1:0+1
record g target 31 at=1161282
record g current of o epoch=31 previous=28 state=2 assigned=- revoking=-
timer g Session("o") at 206.282s

wait ms=1
----

describe_consumer
----
Reconciling epoch=31 assignment_epoch=31 assignor=range
  member m epoch=29 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=- target=155:2+3,1:2
  member n epoch=27 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=155:0+1,1:0+1+2+3+4 target=155:4,1:3
  member o epoch=31 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=1:4
  member q epoch=30 client=c host=/127.0.0.1 topics=t+u regex="" instance="q" rack="r1" assigned=- target=155:0+1,1:0+1

wait ms=1
----

describe_consumer
----
Reconciling epoch=31 assignment_epoch=31 assignor=range
  member m epoch=29 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=- target=155:2+3,1:2
  member n epoch=27 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=155:0+1,1:0+1+2+3+4 target=155:4,1:3
  member o epoch=31 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=1:4
  member q epoch=30 client=c host=/127.0.0.1 topics=t+u regex="" instance="q" rack="r1" assigned=- target=155:0+1,1:0+1

wait ms=1
----

wait ms=50030
----
tombstone g current of n
tombstone g target of n
tombstone g member n
record g epoch 32 hash=-2827788071079509743
tombstone g current of m
tombstone g target of m
tombstone g member m
record g epoch 33 hash=-2827788071079509743
tombstone g current of q
tombstone g target of q
tombstone g member q
record g epoch 34 hash=5168369778533754969
tombstone g current of o
tombstone g target of o
tombstone g member o
record g epoch 35 hash=0
record g target 35 at=0
no timer g Session("m")
no timer g Session("n")
no timer g Session("o")
no timer g Session("q")

wait ms=1
----

beat member=p instance=p topics=t,u,v
----
p epoch=36 interval=5000 assignment=155:0+1+2+3+4,171:0+1+2+3,1:0+1+2+3+4
record g member p client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 instance="p" regex=""
record g epoch 36 hash=6827732496239296905
record g target of p 155:0+1+2+3+4,171:0+1+2+3,1:0+1+2+3+4
record g target 36 at=1211316
record g current of p epoch=36 previous=0 state=0 assigned=155:0@36+1@36+2@36+3@36+4@36,171:0@36+1@36+2@36+3@36,1:0@36+1@36+2@36+3@36+4@36 revoking=-
timer g Session("p") at 256.316s

wait ms=1
----

beat member=q instance=q topics=t assignor=range
----
q epoch=37 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=t rebalance=60000 instance="q" regex="" assignor="range"
record g epoch 37 hash=6827732496239296905
record g target of p 155:0+1+2+3+4,171:0+1+2+3,1:0+1+2
record g target of q 1:3+4
record g target 37 at=1211317
record g current of q epoch=37 previous=0 state=2 assigned=- revoking=-
timer g Session("q") at 256.317s

wait ms=1
----

wait ms=8425
----

wait ms=1
----

describe_consumer
----
Reconciling epoch=37 assignment_epoch=37 assignor=range
  member p epoch=36 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="p" rack="" assigned=155:0+1+2+3+4,171:0+1+2+3,1:0+1+2+3+4 target=155:0+1+2+3+4,171:0+1+2+3,1:0+1+2
  member q epoch=37 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="" assigned=- target=1:3+4

wait ms=1
----

wait ms=5018
----

wait ms=1
----

beat member=n rack=r2 topics=t,u assignor=uniform
----
n epoch=38 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=t+u rebalance=60000 rack="r2" regex="" assignor="uniform"
record g epoch 38 hash=6827732496239296905
record g target of n 155:0+1+2+3+4
record g target of p 171:0+1+2+3,1:0
record g target of q 1:1+2+3+4
record g target 38 at=1224764
record g current of n epoch=38 previous=0 state=2 assigned=- revoking=-
timer g Session("n") at 269.764s

wait ms=1
----

wait ms=8795
----

wait ms=1
----

beat member=o topics=t,u,v assignor=uniform
----
o epoch=39 interval=5000 assignment=-
record g member o client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 regex="" assignor="uniform"
record g epoch 39 hash=6827732496239296905
record g target of n 155:0+1+2+3
record g target of o 155:4,171:2+3
record g target of p 171:0+1,1:0
record g target 39 at=1233561
record g current of o epoch=39 previous=0 state=2 assigned=- revoking=-
timer g Session("o") at 278.561s

wait ms=1
----

beat member=n epoch=38 owned=-
----
n epoch=39 interval=5000
record g current of n epoch=39 previous=38 state=2 assigned=- revoking=-
timer g Session("n") at 278.562s

wait ms=1
----

topic name=t id=1 racks=r2+r3,r1+r3,r1+r3,r1+r2,r1+r2,r1+r2
----

wait ms=1
----

describe_consumer
----
Reconciling epoch=39 assignment_epoch=39 assignor=uniform
  member n epoch=39 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r2" assigned=- target=155:0+1+2+3
  member o epoch=39 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=- target=155:4,171:2+3
  member p epoch=36 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="p" rack="" assigned=155:0+1+2+3+4,171:0+1+2+3,1:0+1+2+3+4 target=171:0+1,1:0
  member q epoch=37 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="" assigned=- target=1:1+2+3+4

wait ms=1
----

wait ms=8184
----

wait ms=1
----

beat member=n epoch=39 owned=-
----
n epoch=40 interval=5000
record g epoch 40 hash=-8014313738122439641
record g target of p 171:0+1,1:0+5
record g target 40 at=1241750
record g current of n epoch=40 previous=39 state=2 assigned=- revoking=-
timer g Session("n") at 286.75s

wait ms=1
----

beat member=m topics=t,u,v
----
m epoch=41 interval=5000 assignment=-
record g member m client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 regex=""
record g epoch 41 hash=-8014313738122439641
record g target of m 171:0+1,1:4
record g target of n 155:0+1+2
record g target of p 155:3,1:0+5
record g target of q 1:1+2+3
record g target 41 at=1241751
record g current of m epoch=41 previous=0 state=2 assigned=- revoking=-
timer g Session("m") at 286.751s

wait ms=1
----

describe_consumer
----
Reconciling epoch=41 assignment_epoch=41 assignor=uniform
  member m epoch=41 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=- target=171:0+1,1:4
  member n epoch=40 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r2" assigned=- target=155:0+1+2
  member o epoch=39 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=- target=155:4,171:2+3
  member p epoch=36 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="p" rack="" assigned=155:0+1+2+3+4,171:0+1+2+3,1:0+1+2+3+4 target=155:3,1:0+5
  member q epoch=37 client=c host=/127.0.0.1 topics=t regex="" instance="q" rack="" assigned=- target=1:1+2+3

wait ms=1
----

beat member=q epoch=37 instance=q owned=-
----
q epoch=41 interval=5000
record g current of q epoch=41 previous=37 state=2 assigned=- revoking=-
timer g Session("q") at 286.753s

wait ms=1
----

beat member=p epoch=36 instance=p
----
p epoch=36 interval=5000 assignment=155:3,1:0
record g current of p epoch=36 previous=36 state=1 assigned=155:3@36,1:0@36 revoking=155:0@36+1@36+2@36+4@36,171:0@36+1@36+2@36+3@36,1:1@36+2@36+3@36+4@36
timer g Session("p") at 286.754s
timer g Rebalance("p") at 301.754s

wait ms=1
----

beat member=q epoch=37 instance=q owned=-
----
q epoch=41 interval=5000
record g current of q epoch=41 previous=41 state=2 assigned=- revoking=-
timer g Session("q") at 286.755s

wait ms=1
----

beat member=m epoch=41 owned=-
----
m epoch=41 interval=5000
record g current of m epoch=41 previous=41 state=2 assigned=- revoking=-
timer g Session("m") at 286.756s

wait ms=1
----

wait ms=3601
----

wait ms=1
----

beat member=o epoch=39 owned=- topics=t assignor=range
----
o epoch=42 interval=5000 assignment=1:5
record g member o client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" assignor="range"
record g epoch 42 hash=-8014313738122439641
record g target of m 155:2+3,171:2+3,1:3
record g target of n 155:4,1:4
record g target of o 1:5
record g target of p 155:0+1,171:0+1,1:0+1
record g target of q 1:2
record g target 42 at=1245359
record g current of o epoch=42 previous=39 state=0 assigned=1:5@42 revoking=-
timer g Session("o") at 290.359s

wait ms=1
----

beat member=n epoch=40 owned=-
----
n epoch=42 interval=5000
record g current of n epoch=42 previous=40 state=2 assigned=- revoking=-
timer g Session("n") at 290.36s

wait ms=1
----

beat member=q epoch=41 instance=q owned=-
----
q epoch=42 interval=5000
record g current of q epoch=42 previous=41 state=2 assigned=- revoking=-
timer g Session("q") at 290.361s

wait ms=1
----

beat member=m epoch=41 owned=-
----
m epoch=42 interval=5000
record g current of m epoch=42 previous=41 state=2 assigned=- revoking=-
timer g Session("m") at 290.362s

wait ms=1
----

beat member=p epoch=36 instance=p owned=1:0,155:3
----
p epoch=36 interval=5000 assignment=1:0
record g current of p epoch=36 previous=36 state=1 assigned=1:0@36 revoking=155:3@36
timer g Session("p") at 290.363s
timer g Rebalance("p") at 305.363s

wait ms=1
----

wait ms=3098
----

wait ms=1
----

beat member=o epoch=42
----
o epoch=42 interval=5000
timer g Session("o") at 293.463s

wait ms=1
----

beat member=p epoch=36 instance=p owned=1:0
----
p epoch=42 interval=5000 assignment=155:0+1,171:0+1,1:0+1
record g current of p epoch=42 previous=36 state=0 assigned=155:0@42+1@42,171:0@42+1@42,1:0@36+1@42 revoking=-
no timer g Rebalance("p")
timer g Session("p") at 293.464s

wait ms=1
----

beat member=q epoch=41 instance=q owned=-
----
q epoch=42 interval=5000 assignment=1:2
record g current of q epoch=42 previous=42 state=0 assigned=1:2@42 revoking=-
timer g Session("q") at 293.465s

wait ms=1
----

beat member=o epoch=42 owned=- topics=t assignor=range
----
o epoch=42 interval=5000
timer g Session("o") at 293.466s

wait ms=1
----

commit member=m generation=42 offsets=t-0:213
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=213 leader_epoch=-1 metadata="" committed=1248467 expires=-1

wait ms=1
----

beat member=m epoch=41
----
FencedMemberEpoch The consumer group member has a smaller member epoch (41) than the one known by the group coordinator (42). The member must abandon all its partitions and rejoin.

wait ms=1
----

wait ms=3627
----

wait ms=1
----

beat member=p epoch=42 instance=p owned=1:0+1,155:0+1,171:0+1
----
p epoch=42 interval=5000
timer g Session("p") at 297.097s

wait ms=1
----

beat member=p epoch=42 instance=p owned=1:0+1,155:0+1,171:0+1
----
p epoch=42 interval=5000
timer g Session("p") at 297.098s

wait ms=1
----

beat member=n epoch=42 owned=- topics=t,u assignor=uniform
----
n epoch=42 interval=5000 assignment=155:4,1:4
record g current of n epoch=42 previous=42 state=0 assigned=155:4@42,1:4@42 revoking=-
timer g Session("n") at 297.099s

wait ms=1
----

beat member=q epoch=42 instance=q owned=1:2
----
q epoch=42 interval=5000
timer g Session("q") at 297.1s

wait ms=1
----

wait ms=8417
----

wait ms=1
----

beat member=n epoch=42 owned=1:4,155:4
----
n epoch=42 interval=5000
timer g Session("n") at 305.519s

wait ms=1
----

beat member=p epoch=42 instance=p owned=1:0+1,155:0+1,171:0+1
----
p epoch=42 interval=5000
timer g Session("p") at 305.52s

wait ms=1
----

beat member=n epoch=42 owned=155:4 topics=v assignor=range
----
n epoch=42 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=v rebalance=60000 rack="r2" regex="" assignor="range"
record g epoch 43 hash=-8014313738122439641
record g target of m 155:3+4,171:2,1:4
record g target of n 171:3
record g target of p 155:0+1+2,171:0+1,1:0+1
record g target of q 1:2+3
record g target 43 at=1260521
record g current of n epoch=42 previous=42 state=1 assigned=- revoking=155:4@42,1:4@42
timer g Session("n") at 305.521s
timer g Rebalance("n") at 320.521s

wait ms=1
----

beat member=m epoch=41
----
FencedMemberEpoch The consumer group member has a smaller member epoch (41) than the one known by the group coordinator (42). The member must abandon all its partitions and rejoin.

wait ms=1
----

beat member=m topics=v
----
m epoch=44 interval=5000 assignment=171:2
record g member m client=c host=/127.0.0.1 topics=v rebalance=60000 regex=""
record g epoch 44 hash=-8014313738122439641
record g target of m 171:2
record g target of o 1:4+5
record g target of p 155:0+1+2+3+4,171:0+1,1:0+1
record g target 44 at=1260523
record g current of m epoch=44 previous=42 state=0 assigned=171:2@44 revoking=-
timer g Session("m") at 305.523s

wait ms=1
----

beat member=o epoch=42
----
o epoch=44 interval=5000
record g current of o epoch=44 previous=42 state=2 assigned=1:5@42 revoking=-
timer g Session("o") at 305.524s

wait ms=1
----

beat member=n epoch=42 owned=-
----
n epoch=44 interval=5000 assignment=171:3
record g current of n epoch=44 previous=42 state=0 assigned=171:3@44 revoking=-
no timer g Rebalance("n")
timer g Session("n") at 305.525s

wait ms=1
----

beat member=m epoch=44 owned=171:2
----
m epoch=44 interval=5000
timer g Session("m") at 305.526s

wait ms=1
----

beat member=m epoch=-1 owned=171:2
----
m epoch=-1 interval=0
tombstone g current of m
tombstone g target of m
tombstone g member m
record g epoch 45 hash=-8014313738122439641
no timer g Session("m")

wait ms=1
----

beat member=o epoch=44 owned=1:5
----
o epoch=45 interval=5000 assignment=1:4+5
record g target of n 171:2+3
record g target 45 at=1260528
record g current of o epoch=45 previous=44 state=0 assigned=1:4@45+5@42 revoking=-
timer g Session("o") at 305.528s

wait ms=1
----

beat member=p epoch=42 instance=p owned=1:0+1,155:0+1,171:0+1
----
p epoch=45 interval=5000 assignment=155:0+1+2+3+4,171:0+1,1:0+1
record g current of p epoch=45 previous=42 state=0 assigned=155:0@42+1@42+2@45+3@45+4@45,171:0@42+1@42,1:0@36+1@42 revoking=-
timer g Session("p") at 305.529s
