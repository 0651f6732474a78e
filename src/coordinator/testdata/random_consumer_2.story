# Written by src/coordinator/consumer/random_stories.rs
consumer_settings assignment_interval_ms=0
----

topic name=t id=1 racks=r1+r2,r2+r3,r1+r3,r1+r2
----

wait ms=1
----

beat member=m topics=v
----
m epoch=2 interval=5000 assignment=-
record g member m client=c host=/127.0.0.1 topics=v rebalance=60000 regex=""
record g epoch 2 hash=0
record g target of m -
record g target 2 at=1000001
record g current of m epoch=2 previous=0 state=0 assigned=- revoking=-
timer g Session("m") at 45.001s

wait ms=1
----

beat member=n rack=r2 topics=t
----
n epoch=3 interval=5000 assignment=1:0+1+2+3
record g member n client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r2" regex=""
record g epoch 3 hash=-4355006714224906720
record g target of n 1:0+1+2+3
record g target 3 at=1000002
record g current of n epoch=3 previous=0 state=0 assigned=1:0@3+1@3+2@3+3@3 revoking=-
timer g Session("n") at 45.002s

wait ms=1
----

beat member=q instance=q topics=u assignor=range
----
q epoch=4 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=u rebalance=60000 instance="q" regex="" assignor="range"
record g epoch 4 hash=-4355006714224906720
record g target of q -
record g target 4 at=1000003
record g current of q epoch=4 previous=0 state=0 assigned=- revoking=-
timer g Session("q") at 45.003s

wait ms=1
----

drop_topic name=t
----

wait ms=1
----

topic name=t id=611 racks=r2+r3,r1+r2
----

wait ms=1
----

beat member=q epoch=4 instance=q owned=-
----
q epoch=5 interval=5000
record g epoch 5 hash=1962674277107307358
record g target of n 611:0+1
record g target 5 at=1000006
record g current of q epoch=5 previous=4 state=0 assigned=- revoking=-
timer g Session("q") at 45.006s

wait ms=1
----

beat member=m epoch=2 owned=-
----
m epoch=5 interval=5000
record g current of m epoch=5 previous=2 state=0 assigned=- revoking=-
timer g Session("m") at 45.007s

wait ms=1
----

wait ms=7444
----

wait ms=1
----

beat member=m epoch=5 owned=-
----
m epoch=5 interval=5000
timer g Session("m") at 52.453s

wait ms=1
----

beat member=p instance=p rack=r1 topics=t
----
p epoch=6 interval=5000 assignment=611:0
record g member p client=c host=/127.0.0.1 topics=t rebalance=60000 instance="p" rack="r1" regex=""
record g epoch 6 hash=1962674277107307358
record g target of n 611:1
record g target of p 611:0
record g target 6 at=1007454
record g current of p epoch=6 previous=0 state=0 assigned=611:0@6 revoking=-
timer g Session("p") at 52.454s

wait ms=1
----

topic name=u id=623 racks=r2+r3,r2+r3
----

wait ms=1
----

beat member=m epoch=5 owned=-
----
m epoch=7 interval=5000
record g epoch 7 hash=-5394466248053403691
record g target of q 623:0+1
record g target 7 at=1007456
record g current of m epoch=7 previous=5 state=0 assigned=- revoking=-
timer g Session("m") at 52.456s

wait ms=1
----

topic name=t id=611 racks=r1+r3,r1+r3,r2+r3,r1+r2,r1+r3
----

wait ms=1
----

beat member=p epoch=6 instance=p owned=611:0
----
p epoch=8 interval=5000 assignment=611:0+1+2
record g epoch 8 hash=-4457345862299309888
record g target of n 611:3+4
record g target of p 611:0+1+2
record g target 8 at=1007458
record g current of p epoch=8 previous=6 state=0 assigned=611:0@6+1@8+2@8 revoking=-
timer g Session("p") at 52.458s

wait ms=1
----

beat member=o topics=t,u assignor=uniform
----
o epoch=9 interval=5000 assignment=-
record g member o client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex="" assignor="uniform"
record g epoch 9 hash=-4457345862299309888
record g target of o 611:2
record g target of p 611:0+1
record g target 9 at=1007459
record g current of o epoch=9 previous=0 state=2 assigned=- revoking=-
timer g Session("o") at 52.459s

wait ms=1
----

commit member=m generation=7 offsets=t-0:33
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=33 leader_epoch=-1 metadata="" committed=1007460 expires=-1

wait ms=1
----

beat member=o epoch=9
----
o epoch=9 interval=5000
record g current of o epoch=9 previous=9 state=2 assigned=- revoking=-
timer g Session("o") at 52.461s

wait ms=1
----

wait ms=22524
----

wait ms=1
----

beat member=q epoch=5 instance=q
----
q epoch=10 interval=5000 assignment=623:0
record g epoch 10 hash=-4457345862299309888
record g target of n 611:2+3
record g target of o 611:4,623:1
record g target of q 623:0
record g target 10 at=1029987
record g current of q epoch=10 previous=5 state=0 assigned=623:0@10 revoking=-
timer g Session("q") at 74.987s

wait ms=1
----

topic name=u id=623 racks=r2+r3,r1+r2,r2+r3,r1+r2
----

wait ms=1
----

beat member=m topics=v assignor=uniform
----
m epoch=11 interval=5000 assignment=-
record g member m client=c host=/127.0.0.1 topics=v rebalance=60000 regex="" assignor="uniform"
record g epoch 11 hash=-6050982116597180323
record g target of q 623:0+2+3
record g target 11 at=1029989
record g current of m epoch=11 previous=7 state=0 assigned=- revoking=-
timer g Session("m") at 74.989s

wait ms=1
----

topic name=u id=623 racks=r1+r3,r1+r2,r1+r2,r1+r2,r1+r2,r2+r3,r1+r2
----

wait ms=1
----

beat member=q epoch=10 instance=q owned=623:0
----
q epoch=12 interval=5000 assignment=623:0+2+3+6
record g epoch 12 hash=7734683933397510749
record g target of o 623:1+4+5
record g target of p 611:0+1+4
record g target of q 623:0+2+3+6
record g target 12 at=1029991
record g current of q epoch=12 previous=10 state=0 assigned=623:0@10+2@12+3@12+6@12 revoking=-
timer g Session("q") at 74.991s

wait ms=1
----

wait ms=24687
----
tombstone g current of n
tombstone g target of n
tombstone g member n
record g epoch 13 hash=7734683933397510749
tombstone g current of p
tombstone g target of p
tombstone g member p
record g epoch 14 hash=7734683933397510749
tombstone g current of o
tombstone g target of o
tombstone g member o
record g epoch 15 hash=6065586799598797008
no timer g Session("n")
no timer g Session("o")
no timer g Session("p")

wait ms=1
----

topic name=u id=623 racks=r1+r2,r1+r3,r2+r3,r1+r2,r1+r2,r1+r3,r1+r2,r1+r3,r1+r3,r2+r3
----

wait ms=1
----

beat member=o topics=t,u,v assignor=range
----
o epoch=16 interval=5000 assignment=611:0+1+2+3+4,623:5+7+8+9
record g member o client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 regex="" assignor="range"
record g epoch 16 hash=4220436540920351519
record g target of o 611:0+1+2+3+4,623:5+6+7+8+9
record g target of q 623:0+1+2+3+4
record g target 16 at=1054681
record g current of o epoch=16 previous=0 state=2 assigned=611:0@16+1@16+2@16+3@16+4@16,623:5@16+7@16+8@16+9@16 revoking=-
timer g Session("o") at 99.681s

wait ms=1
----

beat member=n topics=t,u,v
----
n epoch=17 interval=5000 assignment=623:4
record g member n client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 regex=""
record g epoch 17 hash=4220436540920351519
record g target of n 611:0+1+2,623:4+5+6
record g target of o 611:3+4,623:7+8+9
record g target of q 623:0+1+2+3
record g target 17 at=1054682
record g current of n epoch=17 previous=0 state=2 assigned=623:4@17 revoking=-
timer g Session("n") at 99.682s

wait ms=1
----

beat member=q epoch=-1 instance=q owned=623:0+2+6
----
q epoch=-1 interval=0
tombstone g current of q
tombstone g target of q
tombstone g member q
record g epoch 18 hash=4220436540920351519
no timer g Session("q")

wait ms=1
----

beat member=p instance=p rack=r1 topics=t assignor=range
----
p epoch=19 interval=5000 assignment=-
record g member p client=c host=/127.0.0.1 topics=t rebalance=60000 instance="p" rack="r1" regex="" assignor="range"
record g epoch 19 hash=4220436540920351519
record g target of n 611:2+3,623:0+1+2+3+4
record g target of o 611:4,623:5+6+7+8+9
record g target of p 611:0+1
record g target 19 at=1054684
record g current of p epoch=19 previous=0 state=2 assigned=- revoking=-
timer g Session("p") at 99.684s

wait ms=1
----

beat member=m epoch=11 owned=-
----
m epoch=19 interval=5000
record g current of m epoch=19 previous=11 state=0 assigned=- revoking=-
timer g Session("m") at 99.685s

wait ms=1
----

commit member=m generation=19 offsets=t-0:63
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=63 leader_epoch=-1 metadata="" committed=1054686 expires=-1

wait ms=1
----

topic name=u id=623 racks=r1+r2,r2+r3,r1+r3,r1+r2,r1+r3,r1+r2,r1+r3,r1+r3,r1+r3,r1+r2,r1+r3,r1+r3
----

wait ms=1
----

describe_consumer
----
Reconciling epoch=19 assignment_epoch=19 assignor=range
  member m epoch=19 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="" assigned=- target=-
  member n epoch=17 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=623:4 target=611:2+3,623:0+1+2+3+4
  member o epoch=16 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=611:0+1+2+3+4,623:5+7+8+9 target=611:4,623:5+6+7+8+9
  member p epoch=19 client=c host=/127.0.0.1 topics=t regex="" instance="p" rack="r1" assigned=- target=611:0+1

wait ms=1
----

beat member=m epoch=19 owned=-
----
m epoch=20 interval=5000
record g epoch 20 hash=-4854610910443568687
record g target of n 611:2+3,623:0+1+2+3+4+5
record g target of o 611:4,623:6+7+8+9+10+11
record g target 20 at=1054689
record g current of m epoch=20 previous=19 state=0 assigned=- revoking=-
timer g Session("m") at 99.689s

wait ms=1
----

beat member=m epoch=20 owned=-
----
m epoch=20 interval=5000
timer g Session("m") at 99.69s

wait ms=1
----

beat member=q instance=q rack=r2 topics=u assignor=range
----
q epoch=21 interval=5000 assignment=623:0+1+2+3
record g member q client=c host=/127.0.0.1 topics=u rebalance=60000 instance="q" rack="r2" regex="" assignor="range"
record g epoch 21 hash=-4854610910443568687
record g target of n 611:2+3,623:4+5+6+7
record g target of o 611:4,623:8+9+10+11
record g target of q 623:0+1+2+3
record g target 21 at=1054691
record g current of q epoch=21 previous=0 state=0 assigned=623:0@21+1@21+2@21+3@21 revoking=-
timer g Session("q") at 99.691s

wait ms=1
----

commit member=m generation=20 offsets=t-0:75
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=75 leader_epoch=-1 metadata="" committed=1054692 expires=-1

wait ms=1
----

beat member=p epoch=19 instance=p owned=-
----
p epoch=21 interval=5000
record g current of p epoch=21 previous=19 state=2 assigned=- revoking=-
timer g Session("p") at 99.693s

wait ms=1
----

beat member=p epoch=21 instance=p topics=v
----
p epoch=22 interval=5000
record g member p client=c host=/127.0.0.1 topics=v rebalance=60000 instance="p" rack="r1" regex="" assignor="range"
record g epoch 22 hash=-4854610910443568687
record g target of n 611:0+1+2,623:4+5+6+7
record g target of o 611:3+4,623:8+9+10+11
record g target of p -
record g target 22 at=1054694
record g current of p epoch=22 previous=21 state=0 assigned=- revoking=-
timer g Session("p") at 99.694s

wait ms=1
----

beat member=n epoch=17 topics=t
----
n epoch=17 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=t rebalance=60000 regex=""
record g epoch 23 hash=-4854610910443568687
record g target of n 611:0+1+2
record g target of o 611:3+4,623:6+7+8+9+10+11
record g target of q 623:0+1+2+3+4+5
record g target 23 at=1054695
record g current of n epoch=17 previous=17 state=1 assigned=- revoking=623:4@17
timer g Session("n") at 99.695s
timer g Rebalance("n") at 114.695s

wait ms=1
----

beat member=o epoch=16 owned=611:0+1+2+3+4,623:5+7+8+9
----
o epoch=16 interval=5000 assignment=611:3+4,623:7+8+9
record g current of o epoch=16 previous=16 state=1 assigned=611:3@16+4@16,623:7@16+8@16+9@16 revoking=611:0@16+1@16+2@16,623:5@16
timer g Session("o") at 99.696s
timer g Rebalance("o") at 114.696s

wait ms=1
----

beat member=n epoch=17 owned=-
----
n epoch=23 interval=5000
record g current of n epoch=23 previous=17 state=2 assigned=- revoking=-
no timer g Rebalance("n")
timer g Session("n") at 99.697s

wait ms=1
----

wait ms=1697
----

wait ms=1
----

beat member=m epoch=20
----
m epoch=23 interval=5000
record g current of m epoch=23 previous=20 state=0 assigned=- revoking=-
timer g Session("m") at 101.396s

wait ms=1
----

beat member=q epoch=21 instance=q owned=623:0+1+2+3
----
q epoch=23 interval=5000 assignment=623:0+1+2+3+4
record g current of q epoch=23 previous=21 state=2 assigned=623:0@21+1@21+2@21+3@21+4@23 revoking=-
timer g Session("q") at 101.397s

wait ms=1
----

beat member=q epoch=23 instance=q owned=623:0+1+2+3+4
----
q epoch=23 interval=5000
record g current of q epoch=23 previous=23 state=2 assigned=623:0@21+1@21+2@21+3@21+4@23 revoking=-
timer g Session("q") at 101.398s

wait ms=1
----

wait ms=4739
----

wait ms=1
----

beat member=n epoch=23 owned=- topics=t,u,v
----
n epoch=24 interval=5000 assignment=623:6
record g member n client=c host=/127.0.0.1 topics=t+u+v rebalance=60000 regex=""
record g epoch 24 hash=-4854610910443568687
record g target of n 611:0+1+2,623:4+5+6+7
record g target of o 611:3+4,623:8+9+10+11
record g target of q 623:0+1+2+3
record g target 24 at=1061139
record g current of n epoch=24 previous=23 state=2 assigned=623:6@24 revoking=-
timer g Session("n") at 106.139s

wait ms=1
----

beat member=o epoch=16 owned=611:3+4,623:7+8+9
----
o epoch=16 interval=5000 assignment=611:3+4,623:8+9
record g current of o epoch=16 previous=16 state=1 assigned=611:3@16+4@16,623:8@16+9@16 revoking=623:7@16
timer g Session("o") at 106.14s
timer g Rebalance("o") at 121.14s

wait ms=1
----

beat member=m epoch=23 owned=-
----
m epoch=24 interval=5000
record g current of m epoch=24 previous=23 state=0 assigned=- revoking=-
timer g Session("m") at 106.141s

wait ms=1
----

beat member=p epoch=22 instance=p owned=-
----
p epoch=24 interval=5000
record g current of p epoch=24 previous=22 state=0 assigned=- revoking=-
timer g Session("p") at 106.142s

wait ms=1
----

beat member=o epoch=16
----
o epoch=16 interval=5000
timer g Session("o") at 106.143s

wait ms=1
----

beat member=q epoch=23 instance=q owned=623:0+1+2+3+4
----
q epoch=23 interval=5000 assignment=623:0+1+2+3
record g current of q epoch=23 previous=23 state=1 assigned=623:0@21+1@21+2@21+3@21 revoking=623:4@23
timer g Session("q") at 106.144s
timer g Rebalance("q") at 121.144s

wait ms=1
----

beat member=n epoch=24 owned=623:6 topics=t,u assignor=uniform
----
n epoch=25 interval=5000 assignment=611:0+1+2,623:5+6
record g member n client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex="" assignor="uniform"
record g epoch 25 hash=-4854610910443568687
record g target 25 at=1061145
record g current of n epoch=25 previous=24 state=2 assigned=611:0@25+1@25+2@25,623:5@25+6@24 revoking=-
timer g Session("n") at 106.145s

wait ms=1
----

describe_consumer
----
Reconciling epoch=25 assignment_epoch=25 assignor=range
  member m epoch=24 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="" assigned=- target=-
  member n epoch=25 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=611:0+1+2,623:5+6 target=611:0+1+2,623:4+5+6+7
  member o epoch=16 client=c host=/127.0.0.1 topics=t+u+v regex="" instance="" rack="" assigned=611:3+4,623:7+8+9 target=611:3+4,623:8+9+10+11
  member p epoch=24 client=c host=/127.0.0.1 topics=v regex="" instance="p" rack="r1" assigned=- target=-
  member q epoch=23 client=c host=/127.0.0.1 topics=u regex="" instance="q" rack="r2" assigned=623:0+1+2+3+4 target=623:0+1+2+3

wait ms=1
----

topic name=u id=623 racks=r1+r2,r2+r3,r2+r3,r1+r2,r2+r3,r2+r3,r2+r3,r2+r3,r1+r2,r1+r2,r2+r3,r1+r3,r1+r2,r1+r3
----

wait ms=1
----

topic name=v id=715 racks=r1+r3
----

wait ms=1
----

wait ms=7984
----

wait ms=1
----

beat member=o epoch=16
----
o epoch=16 interval=5000
record g epoch 26 hash=-8224880511641373819
record g target of n 611:0+1+2,623:5+6+7+8+9
record g target of o 611:3+4,623:10+11+12+13
record g target of p 715:0
record g target of q 623:0+1+2+3+4
record g target 26 at=1069134
timer g Session("o") at 114.134s

wait ms=1
----

topic name=t id=611 racks=r1+r3,r1+r2,r1+r3,r1+r3,r2+r3,r1+r2
----

wait ms=1
----

beat member=p epoch=24 instance=p owned=-
----
p epoch=27 interval=5000 assignment=715:0
record g epoch 27 hash=6055653655746014740
record g target of o 611:3+4+5,623:10+11+12+13
record g target 27 at=1069136
record g current of p epoch=27 previous=24 state=0 assigned=715:0@27 revoking=-
timer g Session("p") at 114.136s

wait ms=1
----

beat member=o rack=r1 topics=t
----
o epoch=28 interval=5000 assignment=611:3+4+5
record g member o client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r1" regex="" assignor="range"
record g epoch 28 hash=6055653655746014740
record g target of n 611:0+1+2,623:7+8+9+10+11+12+13
record g target of o 611:3+4+5
record g target of q 623:0+1+2+3+4+5+6
record g target 28 at=1069137
record g current of o epoch=28 previous=16 state=0 assigned=611:3@16+4@16+5@28 revoking=-
no timer g Rebalance("o")
timer g Session("o") at 114.137s

wait ms=1
----

topic name=u id=623 racks=r1+r2,r1+r2,r1+r2,r2+r3,r1+r2,r1+r3,r1+r2,r2+r3,r2+r3,r1+r3,r2+r3,r2+r3,r1+r3,r1+r3,r1+r2
----

wait ms=1
----

beat member=q instance=q topics=t
----
UnreleasedInstanceId Static member q with instance id q cannot join the group because the instance id is owned by q member.

wait ms=1
----

beat member=o epoch=28 topics=t,u
----
o epoch=29 interval=5000 assignment=611:3+4+5,623:10+11+12+13+14
record g member o client=c host=/127.0.0.1 topics=t+u rebalance=60000 rack="r1" regex="" assignor="range"
record g epoch 29 hash=-7080780461150649570
record g target of n 611:0+1+2,623:5+6+7+8+9
record g target of o 611:3+4+5,623:10+11+12+13+14
record g target of q 623:0+1+2+3+4
record g target 29 at=1069140
record g current of o epoch=29 previous=28 state=0 assigned=611:3@16+4@16+5@28,623:10@29+11@29+12@29+13@29+14@29 revoking=-
timer g Session("o") at 114.14s

wait ms=1
----

beat member=n epoch=25 owned=611:0+1+2,623:5+6
----
n epoch=29 interval=5000 assignment=611:0+1+2,623:5+6+7+8+9
record g current of n epoch=29 previous=25 state=0 assigned=611:0@25+1@25+2@25,623:5@25+6@24+7@29+8@29+9@29 revoking=-
timer g Session("n") at 114.141s

wait ms=1
----

beat member=m epoch=24 owned=-
----
m epoch=29 interval=5000
record g current of m epoch=29 previous=24 state=0 assigned=- revoking=-
timer g Session("m") at 114.142s

wait ms=1
----

beat member=q epoch=23 instance=q
----
q epoch=23 interval=5000
timer g Session("q") at 114.143s

wait ms=1
----

describe_consumer
----
Reconciling epoch=29 assignment_epoch=29 assignor=range
  member m epoch=29 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="" assigned=- target=-
  member n epoch=29 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=611:0+1+2,623:5+6+7+8+9 target=611:0+1+2,623:5+6+7+8+9
  member o epoch=29 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=611:3+4+5,623:10+11+12+13+14 target=611:3+4+5,623:10+11+12+13+14
  member p epoch=27 client=c host=/127.0.0.1 topics=v regex="" instance="p" rack="r1" assigned=715:0 target=715:0
  member q epoch=23 client=c host=/127.0.0.1 topics=u regex="" instance="q" rack="r2" assigned=623:0+1+2+3+4 target=623:0+1+2+3+4

wait ms=1
----

beat member=n epoch=29 owned=611:0+1+2,623:5+6+7+8+9
----
n epoch=29 interval=5000
timer g Session("n") at 114.145s

wait ms=1
----

beat member=p epoch=27 instance=p owned=715:0
----
p epoch=29 interval=5000
record g current of p epoch=29 previous=27 state=0 assigned=715:0@27 revoking=-
timer g Session("p") at 114.146s

wait ms=1
----

beat member=p instance=p rack=r2 topics=v assignor=range
----
UnreleasedInstanceId Static member p with instance id p cannot join the group because the instance id is owned by p member.

wait ms=1
----

beat member=m epoch=24 owned=- topics=t,u
----
m epoch=30 interval=5000
record g member m client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex="" assignor="uniform"
record g epoch 30 hash=-7080780461150649570
record g target of m 611:0+1,623:4+5+6+7
record g target of n 611:2+3,623:8+9+10+11
record g target of o 611:4+5,623:12+13+14
record g target of q 623:0+1+2+3
record g target 30 at=1069148
record g current of m epoch=30 previous=29 state=2 assigned=- revoking=-
timer g Session("m") at 114.148s

wait ms=1
----

topic name=u id=623 racks=r1+r3,r1+r2,r1+r3,r2+r3,r1+r3,r1+r3,r1+r2,r1+r2,r1+r2,r1+r2,r1+r2,r2+r3,r1+r2,r1+r3,r2+r3,r2+r3,r1+r3
----

wait ms=1
----

wait ms=5079
----

wait ms=1
----

beat member=n epoch=29 owned=611:0+1+2,623:5+6+7+8+9
----
n epoch=29 interval=5000 assignment=611:2,623:9
record g epoch 31 hash=-105512975989515320
record g target of m 611:0+1,623:5+6+7+8
record g target of n 611:2+3,623:9+10+11+12
record g target of o 611:4+5,623:13+14+15+16
record g target of q 623:0+1+2+3+4
record g target 31 at=1074230
record g current of n epoch=29 previous=29 state=1 assigned=611:2@25,623:9@29 revoking=611:0@25+1@25,623:5@25+6@24+7@29+8@29
timer g Session("n") at 119.23s
timer g Rebalance("n") at 134.23s

wait ms=1
----

beat member=n topics=v
----
n epoch=32 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=v rebalance=60000 regex="" assignor="uniform"
record g epoch 32 hash=-105512975989515320
record g target of m 611:0+1+2,623:6+7+8+9+10+11
record g target of n -
record g target of o 611:3+4+5,623:12+13+14+15+16
record g target of q 623:0+1+2+3+4+5
record g target 32 at=1074231
record g current of n epoch=32 previous=29 state=0 assigned=- revoking=-
no timer g Rebalance("n")
timer g Session("n") at 119.231s

wait ms=1
----

beat member=m epoch=30 owned=-
----
m epoch=32 interval=5000 assignment=611:0+1+2,623:6+7+8+9
record g current of m epoch=32 previous=30 state=2 assigned=611:0@32+1@32+2@32,623:6@32+7@32+8@32+9@32 revoking=-
timer g Session("m") at 119.232s

wait ms=1
----

beat member=p epoch=29 instance=p owned=715:0
----
p epoch=32 interval=5000
record g current of p epoch=32 previous=29 state=0 assigned=715:0@27 revoking=-
timer g Session("p") at 119.233s

wait ms=1
----

beat member=o epoch=29 owned=611:3+4+5,623:10+11+12+13+14
----
o epoch=29 interval=5000 assignment=611:3+4+5,623:12+13+14
record g current of o epoch=29 previous=29 state=1 assigned=611:3@16+4@16+5@28,623:12@29+13@29+14@29 revoking=623:10@29+11@29
timer g Session("o") at 119.234s
timer g Rebalance("o") at 134.234s

wait ms=1
----

wait ms=1044
----

wait ms=1
----

beat member=p epoch=32 instance=p owned=715:0
----
p epoch=32 interval=5000
timer g Session("p") at 120.28s

wait ms=1
----

describe_consumer
----
Reconciling epoch=32 assignment_epoch=32 assignor=range
  member m epoch=32 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=611:0+1+2,623:6+7+8+9 target=611:0+1+2,623:6+7+8+9+10+11
  member n epoch=32 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="" assigned=- target=-
  member o epoch=29 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=611:3+4+5,623:10+11+12+13+14 target=611:3+4+5,623:12+13+14+15+16
  member p epoch=32 client=c host=/127.0.0.1 topics=v regex="" instance="p" rack="r1" assigned=715:0 target=715:0
  member q epoch=23 client=c host=/127.0.0.1 topics=u regex="" instance="q" rack="r2" assigned=623:0+1+2+3+4 target=623:0+1+2+3+4+5

wait ms=1
----

describe_consumer
----
Reconciling epoch=32 assignment_epoch=32 assignor=range
  member m epoch=32 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="" assigned=611:0+1+2,623:6+7+8+9 target=611:0+1+2,623:6+7+8+9+10+11
  member n epoch=32 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="" assigned=- target=-
  member o epoch=29 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=611:3+4+5,623:10+11+12+13+14 target=611:3+4+5,623:12+13+14+15+16
  member p epoch=32 client=c host=/127.0.0.1 topics=v regex="" instance="p" rack="r1" assigned=715:0 target=715:0
  member q epoch=23 client=c host=/127.0.0.1 topics=u regex="" instance="q" rack="r2" assigned=623:0+1+2+3+4 target=623:0+1+2+3+4+5

wait ms=1
----

beat member=q epoch=-1 instance=q owned=623:1+2+3
----
q epoch=-1 interval=0
tombstone g current of q
tombstone g target of q
tombstone g member q
record g epoch 33 hash=-105512975989515320
no timer g Session("q")
no timer g Rebalance("q")

wait ms=1
----

wait ms=4606
----

wait ms=1
----

wait ms=7489
----

wait ms=1
----

beat member=p epoch=32 instance=p owned=715:0
----
p epoch=33 interval=5000
record g target of m 611:0+1+2,623:2+4+6+7+8+9+10+11
record g target of o 611:3+4+5,623:0+1+3+5+12+13+14+15+16
record g target 33 at=1087381
record g current of p epoch=33 previous=32 state=0 assigned=715:0@27 revoking=-
timer g Session("p") at 132.381s

wait ms=1
----

beat member=m epoch=32 owned=611:0+1+2,623:6+7+8+9 topics=v assignor=range
----
m epoch=32 interval=5000 assignment=-
record g member m client=c host=/127.0.0.1 topics=v rebalance=60000 regex="" assignor="range"
record g epoch 34 hash=-105512975989515320
record g target of m -
record g target of o 611:0+1+2+3+4+5,623:0+1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16
record g target 34 at=1087382
record g current of m epoch=32 previous=32 state=1 assigned=- revoking=611:0@32+1@32+2@32,623:6@32+7@32+8@32+9@32
timer g Session("m") at 132.382s
timer g Rebalance("m") at 147.382s

wait ms=1
----

beat member=n epoch=32 owned=-
----
n epoch=34 interval=5000
record g current of n epoch=34 previous=32 state=0 assigned=- revoking=-
timer g Session("n") at 132.383s

wait ms=1
----

beat member=n epoch=34 owned=-
----
n epoch=34 interval=5000
timer g Session("n") at 132.384s

wait ms=1
----

beat member=q instance=q rack=r1 topics=t
----
q epoch=35 interval=5000 assignment=-
record g member q client=c host=/127.0.0.1 topics=t rebalance=60000 instance="q" rack="r1" regex=""
record g epoch 35 hash=-105512975989515320
record g target of o 611:3+4+5,623:0+1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16
record g target of q 611:0+1+2
record g target 35 at=1087385
record g current of q epoch=35 previous=0 state=2 assigned=- revoking=-
timer g Session("q") at 132.385s

wait ms=1
----

beat member=n epoch=34 owned=-
----
n epoch=35 interval=5000
record g current of n epoch=35 previous=34 state=0 assigned=- revoking=-
timer g Session("n") at 132.386s

wait ms=1
----

beat member=q epoch=35 instance=q owned=- topics=v
----
q epoch=36 interval=5000
record g member q client=c host=/127.0.0.1 topics=v rebalance=60000 instance="q" rack="r1" regex=""
record g epoch 36 hash=-105512975989515320
record g target of o 611:0+1+2+3+4+5,623:0+1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16
record g target of q -
record g target 36 at=1087387
record g current of q epoch=36 previous=35 state=0 assigned=- revoking=-
timer g Session("q") at 132.387s

wait ms=1
----

beat member=q epoch=36 instance=q owned=-
----
q epoch=36 interval=5000
timer g Session("q") at 132.388s

wait ms=1
----

wait ms=8156
----

wait ms=1
----

beat member=n topics=t
----
n epoch=37 interval=5000 assignment=-
record g member n client=c host=/127.0.0.1 topics=t rebalance=60000 regex="" assignor="uniform"
record g epoch 37 hash=-105512975989515320
record g target of n 611:0+1+2
record g target of o 611:3+4+5,623:0+1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16
record g target 37 at=1095546
record g current of n epoch=37 previous=35 state=2 assigned=- revoking=-
timer g Session("n") at 140.546s

wait ms=1
----

beat member=o epoch=29 owned=611:3+4+5,623:12+13+14
----
o epoch=37 interval=5000 assignment=611:3+4+5,623:0+1+2+3+4+5+10+11+12+13+14+15+16
record g current of o epoch=37 previous=29 state=2 assigned=611:3@16+4@16+5@28,623:0@37+1@37+2@37+3@37+4@37+5@37+10@37+11@37+12@29+13@29+14@29+15@37+16@37 revoking=-
no timer g Rebalance("o")
timer g Session("o") at 140.547s

wait ms=1
----

describe_consumer
----
Reconciling epoch=37 assignment_epoch=37 assignor=range
  member m epoch=32 client=c host=/127.0.0.1 topics=v regex="" instance="" rack="" assigned=611:0+1+2,623:6+7+8+9 target=-
  member n epoch=37 client=c host=/127.0.0.1 topics=t regex="" instance="" rack="" assigned=- target=611:0+1+2
  member o epoch=37 client=c host=/127.0.0.1 topics=t+u regex="" instance="" rack="r1" assigned=611:3+4+5,623:0+1+2+3+4+5+10+11+12+13+14+15+16 target=611:3+4+5,623:0+1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16
  member p epoch=33 client=c host=/127.0.0.1 topics=v regex="" instance="p" rack="r1" assigned=715:0 target=715:0
  member q epoch=36 client=c host=/127.0.0.1 topics=v regex="" instance="q" rack="r1" assigned=- target=-

wait ms=1
----

beat member=p epoch=33 instance=p owned=-
----
p epoch=37 interval=5000
record g current of p epoch=37 previous=33 state=0 assigned=715:0@27 revoking=-
timer g Session("p") at 140.549s

wait ms=1
----

beat member=m epoch=32 owned=-
----
m epoch=37 interval=5000
record g current of m epoch=37 previous=32 state=0 assigned=- revoking=-
no timer g Rebalance("m")
timer g Session("m") at 140.55s

wait ms=1
----

beat member=m epoch=37
----
m epoch=37 interval=5000
timer g Session("m") at 140.551s

wait ms=1
----

beat member=q epoch=36 instance=q
----
q epoch=37 interval=5000
record g current of q epoch=37 previous=36 state=0 assigned=- revoking=-
timer g Session("q") at 140.552s

wait ms=1
----

beat member=m epoch=37 owned=-
----
m epoch=37 interval=5000
timer g Session("m") at 140.553s

wait ms=1
----

beat member=n epoch=37 owned=-
----
n epoch=37 interval=5000 assignment=611:0+1+2
record g current of n epoch=37 previous=37 state=0 assigned=611:0@37+1@37+2@37 revoking=-
timer g Session("n") at 140.554s

wait ms=1
----

beat member=o epoch=37 owned=611:3+4+5,623:0+1+2+3+4+5+10+11+12+13+14+15+16 topics=t
----
o epoch=37 interval=5000 assignment=611:3+4+5
record g member o client=c host=/127.0.0.1 topics=t rebalance=60000 rack="r1" regex="" assignor="range"
record g epoch 38 hash=-3495428330690391106
record g target of o 611:3+4+5
record g target 38 at=1095555
record g current of o epoch=37 previous=37 state=1 assigned=611:3@16+4@16+5@28 revoking=623:0@37+1@37+2@37+3@37+4@37+5@37+10@37+11@37+12@29+13@29+14@29+15@37+16@37
timer g Session("o") at 140.555s
timer g Rebalance("o") at 155.555s

wait ms=1
----

wait ms=765
----

wait ms=1
----

beat member=p instance=p topics=u
----
UnreleasedInstanceId Static member p with instance id p cannot join the group because the instance id is owned by p member.

wait ms=1
----

beat member=p epoch=37 instance=p owned=715:0
----
p epoch=38 interval=5000
record g current of p epoch=38 previous=37 state=0 assigned=715:0@27 revoking=-
timer g Session("p") at 141.323s

wait ms=1
----

beat member=n epoch=37 owned=611:0+1+2
----
n epoch=38 interval=5000
record g current of n epoch=38 previous=37 state=0 assigned=611:0@37+1@37+2@37 revoking=-
timer g Session("n") at 141.324s

wait ms=1
----

beat member=n epoch=38 owned=611:0+1+2
----
n epoch=38 interval=5000
timer g Session("n") at 141.325s

wait ms=1
----

beat member=p epoch=-1 instance=p
----
p epoch=-1 interval=0
tombstone g current of p
tombstone g target of p
tombstone g member p
record g epoch 39 hash=-3495428330690391106
no timer g Session("p")

wait ms=1
----

beat member=n epoch=38 topics=t,u
----
n epoch=40 interval=5000 assignment=611:0+1+2,623:6+7+8+9
record g member n client=c host=/127.0.0.1 topics=t+u rebalance=60000 regex="" assignor="uniform"
record g epoch 40 hash=-105512975989515320
record g target of n 611:0+1+2,623:0+1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16
record g target of q 715:0
record g target 40 at=1096327
record g current of n epoch=40 previous=38 state=2 assigned=611:0@37+1@37+2@37,623:6@40+7@40+8@40+9@40 revoking=-
timer g Session("n") at 141.327s

wait ms=1
----

wait ms=6660
----

wait ms=1
----

wait ms=3221
----

wait ms=1
----

beat member=p instance=p rack=r1 topics=u
----
p epoch=41 interval=5000 assignment=-
record g member p client=c host=/127.0.0.1 topics=u rebalance=60000 instance="p" rack="r1" regex=""
record g epoch 41 hash=-105512975989515320
record g target of n 611:0+1+2,623:9+10+11+12+13+14+15+16
record g target of p 623:0+1+2+3+4+5+6+7+8
record g target 41 at=1106211
record g current of p epoch=41 previous=0 state=2 assigned=- revoking=-
timer g Session("p") at 151.211s

wait ms=1
----

beat member=m epoch=37
----
m epoch=41 interval=5000
record g current of m epoch=41 previous=37 state=0 assigned=- revoking=-
timer g Session("m") at 151.212s

wait ms=1
----

beat member=q instance=q topics=v
----
UnreleasedInstanceId Static member q with instance id q cannot join the group because the instance id is owned by q member.

wait ms=1
----

beat member=p epoch=41 instance=p owned=-
----
p epoch=41 interval=5000
record g current of p epoch=41 previous=41 state=2 assigned=- revoking=-
timer g Session("p") at 151.214s

wait ms=1
----

topic name=v id=715 racks=r1+r3,r1+r3
----

wait ms=1
----

beat member=p epoch=41 instance=p owned=- topics=t
----
p epoch=42 interval=5000
record g member p client=c host=/127.0.0.1 topics=t rebalance=60000 instance="p" rack="r1" regex=""
record g epoch 42 hash=-8422665062019603713
record g target of m 715:1
record g target of n 611:2+3,623:0+1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16
record g target of o 611:4+5
record g target of p 611:0+1
record g target 42 at=1106216
record g current of p epoch=42 previous=41 state=2 assigned=- revoking=-
timer g Session("p") at 151.216s

wait ms=1
----

commit member=m generation=41 offsets=t-0:245
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=245 leader_epoch=-1 metadata="" committed=1106217 expires=-1

wait ms=1
----

beat member=n epoch=40
----
n epoch=40 interval=5000 assignment=611:2,623:6+7+8+9
record g current of n epoch=40 previous=40 state=1 assigned=611:2@37,623:6@40+7@40+8@40+9@40 revoking=611:0@37+1@37
timer g Session("n") at 151.218s
timer g Rebalance("n") at 166.218s

wait ms=1
----

wait ms=2834
----
