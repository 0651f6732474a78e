# Written by src/coordinator/classic/random.rs
commit member=s#1 instance=s generation=0 offsets=t-0:0,u-1:2
----
Err(GroupIdNotFound)

sync as=1 member=x generation=0 assignments=
----
reply to 1: sync UnknownMemberId type=null protocol=null assignment=-

join as=2 member=s#1 instance=s protocols=x:t,y:t session=8379 rebalance=16363
----
reply to 2: join UnknownMemberId member=s#1

sync as=3 member=s#1 instance=s generation=0 assignments=
----
reply to 3: sync UnknownMemberId type=null protocol=null assignment=-

wait ms=6701
----

join as=5 client=b protocols=x:t,y:t session=9805 rebalance=22404
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1006701
reply to 5: join MemberIdRequired member=b#1
timer g Session("b#1") at 16.506s

join as=6 member=s#1 instance=s protocols=y:t+u,x:t session=8321 rebalance=26503
----
reply to 6: join UnknownMemberId member=s#1

join as=7 client=s instance=s protocols=y:t+u,x:t session=6229 rebalance=27308
----
timer g Session("s#2") at 306.701s
timer g Join at 9.701s

commit member=s#2 instance=s generation=0 offsets=t-0:8,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=8 leader_epoch=-1 metadata="" committed=1006701 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1006701 expires=-1
timer g Session("s#2") at 12.93s

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=2 protocol=null leader=null since=1015930
reply to 7: join None member=s#2 generation=1 type=consumer protocol=y leader=s#2
  member s#2 instance=s metadata=[t+u]
no timer g Session("b#1")
no timer g Session("s#2")
no timer g Join

join as=10 member=s#1 instance=s protocols=x:u session=6963 rebalance=22785
----
reply to 10: join UnknownMemberId member=s#1

join as=11 client=r instance=r protocols=x:t,y:t session=8422 rebalance=12771
----
timer g Session("r#3") at 336.712s
timer g Join at 39.712s

sync as=12 member=r#3 instance=r generation=2 assignments=r#3:r#3
----
reply to 12: sync RebalanceInProgress type=null protocol=null assignment=-

sync as=13 member=r#3 instance=r generation=2 assignments=r#3:r#3
----
reply to 13: sync RebalanceInProgress type=null protocol=null assignment=-

join as=14 member=r#3 instance=r protocols=x:t,y:t session=9213 rebalance=11862
----
reply to 11: join RebalanceInProgress member=r#3

leave members=r#3/r
----
Ok([None])
reply to 14: join UnknownMemberId member=
no timer g Session("r#3")

sync as=16 member=x generation=2 assignments=
----
reply to 16: sync UnknownMemberId type=null protocol=null assignment=-

join as=17 client=s instance=s protocols=y:t+u,x:t session=7500 rebalance=25023
----
timer g Session("s#4") at 336.712s

join as=18 client=b protocols=z:t session=8407 rebalance=21520
----
reply to 18: join InconsistentGroupProtocol member=

join as=19 member=s#4 instance=s protocols=x:u session=6872 rebalance=12899
----
reply to 17: join RebalanceInProgress member=s#4

wait ms=4865
----
timer g Join at 42.712s

join as=21 member=s#4 instance=s protocols=x:t,y:t session=7461 rebalance=26659
----
reply to 19: join RebalanceInProgress member=s#4

join as=22 member=s#1 instance=s protocols=x:t,y:t session=8980 rebalance=18649
----
reply to 22: join FencedInstanceId member=s#1

sync as=23 member=s#4 instance=s generation=3 assignments=s#4:s#4
----
reply to 23: sync IllegalGeneration type=null protocol=null assignment=-

delete group=g
----
Err(NonEmptyGroup)

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "PreparingRebalance", group_type: "classic" }

wait ms=3679
----
reply to 21: join None member=s#4 generation=3 type=consumer protocol=x leader=s#4
  member s#4 instance=s metadata=[t]
no timer g Join
timer g Session("s#4") at 50.173s
timer g Sync at 69.371s

join as=27 client=b protocols=x:t,y:t session=8556 rebalance=23389
----
reply to 27: join MemberIdRequired member=b#5
timer g Session("b#5") at 53.812s

sync as=28 member=x generation=2 assignments=s#4:s#4
----
reply to 28: sync UnknownMemberId type=null protocol=null assignment=-

join as=29 member=s#4 instance=s protocols=z:t session=8534 rebalance=18499
----
reply to 29: join InconsistentGroupProtocol member=s#4

join as=30 member=b#5 protocols=x:t,y:t session=6925 rebalance=9131
----
no timer g Sync
timer g Session("b#5") at 345.256s
timer g Join at 71.915s

heartbeat member=s#4 instance=s generation=3
----
RebalanceInProgress
timer g Session("s#4") at 52.717s

wait ms=3001
----

sync as=33 member=s#4 instance=s generation=3 assignments=b#5:b#5,s#4:s#4
----
reply to 33: sync RebalanceInProgress type=null protocol=null assignment=-

join as=34 member=b#5 protocols=y:t+u,x:t session=9077 rebalance=15548
----
reply to 30: join RebalanceInProgress member=b#5

heartbeat member=s#4 instance=s generation=3
----
RebalanceInProgress
timer g Session("s#4") at 55.718s

sync as=36 member=s#4 instance=s generation=3 assignments=b#5:b#5,s#4:s#4
----
reply to 36: sync RebalanceInProgress type=null protocol=null assignment=-

wait ms=820
----

leave members=/s
----
Ok([None])
reply to 34: join None member=b#5 generation=4 type=consumer protocol=y leader=b#5
  member b#5 metadata=[t+u]
no timer g Session("s#4")
no timer g Join
timer g Session("b#5") at 58.154s
timer g Sync at 64.625s

join as=39 member=s#1 instance=s protocols=x:t,y:t session=8726 rebalance=9118
----
reply to 39: join UnknownMemberId member=s#1

join as=40 client=s instance=s protocols=x:t,y:t session=6693 rebalance=21508
----
no timer g Sync
timer g Session("s#6") at 349.077s
timer g Join at 70.585s

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=6 protocol=null leader=null since=1064847
reply to 40: join None member=s#6 generation=5 type=consumer protocol=x leader=s#6
  member s#6 instance=s metadata=[t]
no timer g Session("b#5")
no timer g Session("s#6")
no timer g Join

sync as=42 member=s#1 instance=s generation=7 assignments=
----
reply to 42: sync UnknownMemberId type=null protocol=null assignment=-

commit member=x generation=6 offsets=t-0:43,u-1:2
----
Err(UnknownMemberId)

sync as=44 member=s#1 instance=s generation=7 assignments=
----
reply to 44: sync UnknownMemberId type=null protocol=null assignment=-

join as=45 member=s#1 instance=s protocols=z:t session=6095 rebalance=23436
----
reply to 45: join UnknownMemberId member=s#1

join as=46 member=x protocols=z:t session=8877 rebalance=23469
----
reply to 46: join UnknownMemberId member=x

fetch
----
t-0 offset=8 leader_epoch=-1 metadata=""
u-1 offset=2 leader_epoch=-1 metadata=""

sync as=48 member=s#1 instance=s generation=7 assignments=
----
reply to 48: sync UnknownMemberId type=null protocol=null assignment=-

wait ms=1896
----

join as=50 client=s instance=s protocols=x:t,y:t session=7951 rebalance=12834
----
timer g Session("s#7") at 380.984s
timer g Join at 83.984s

join as=51 member=x protocols=x:u session=7000 rebalance=11343
----
reply to 51: join UnknownMemberId member=x

sync as=52 member=s#7 instance=s generation=6 assignments=s#7:s#7
----
reply to 52: sync RebalanceInProgress type=null protocol=null assignment=-

commit member=s#1 instance=s generation=6 offsets=t-0:53,u-1:2
----
Err(FencedInstanceId)

commit member=s#7 instance=s generation=6 offsets=t-0:54,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=54 leader_epoch=-1 metadata="" committed=1080984 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1080984 expires=-1
timer g Session("s#7") at 88.935s

leave members=s#7/s
----
Ok([None])
reply to 50: join UnknownMemberId member=
no timer g Session("s#7")

leave members=x
----
Ok([UnknownMemberId])

join as=57 member=x protocols=y:t+u,x:t session=9405 rebalance=9267
----
reply to 57: join UnknownMemberId member=x

sync as=58 member=x generation=6 assignments=
----
reply to 58: sync UnknownMemberId type=null protocol=null assignment=-

sync as=59 member=x generation=6 assignments=
----
reply to 59: sync UnknownMemberId type=null protocol=null assignment=-

heartbeat member=x generation=6
----
UnknownMemberId

commit member=x generation=6 offsets=t-0:61,u-1:2
----
Err(UnknownMemberId)

heartbeat member=x generation=6
----
UnknownMemberId

join as=63 client=b protocols=x:t,y:t session=9516 rebalance=23370
----
reply to 63: join MemberIdRequired member=b#8
timer g Session("b#8") at 90.5s

heartbeat member=b#8 generation=6
----
UnknownMemberId

join as=65 client=b protocols=x:t,y:t session=9772 rebalance=11670
----
reply to 65: join MemberIdRequired member=b#9
timer g Session("b#9") at 90.756s

sync as=66 member=b#8 generation=6 assignments=
----
reply to 66: sync UnknownMemberId type=null protocol=null assignment=-

heartbeat member=b#9 generation=6
----
UnknownMemberId

join as=68 member=x protocols=x:t,y:t session=9401 rebalance=17860
----
reply to 68: join UnknownMemberId member=x

sync as=69 member=b#9 generation=6 assignments=
----
reply to 69: sync UnknownMemberId type=null protocol=null assignment=-

sync as=70 member=s#1 instance=s generation=6 assignments=
----
reply to 70: sync UnknownMemberId type=null protocol=null assignment=-

restart
----
no timer g Session("b#8")
no timer g Session("b#9")
no timer g Join

heartbeat member=x generation=6
----
UnknownMemberId

join as=73 client=b protocols=x:t,y:t session=9383 rebalance=23766
----
reply to 73: join MemberIdRequired member=b#10
timer g Session("b#10") at 90.367s

heartbeat member=x generation=6
----
UnknownMemberId

sync as=75 member=b#10 generation=6 assignments=
----
reply to 75: sync UnknownMemberId type=null protocol=null assignment=-

commit member=x generation=7 offsets=t-0:76,u-1:2
----
Err(UnknownMemberId)

wait ms=6201
----

wait ms=3001
----

leave members=x
----
Ok([UnknownMemberId])

sync as=80 member=b#10 generation=6 assignments=
----
reply to 80: sync UnknownMemberId type=null protocol=null assignment=-

join as=81 client=b protocols=z:t session=6787 rebalance=17926
----
reply to 81: join MemberIdRequired member=b#11
timer g Session("b#11") at 96.973s

heartbeat member=s#1 instance=s generation=6
----
UnknownMemberId

heartbeat member=x
----
UnknownMemberId

expire
----

join as=85 member=b#11 protocols=z:t session=9003 rebalance=20792
----
timer g Session("b#11") at 390.186s
timer g Join at 93.186s

sync as=86 member=b#10 generation=6 assignments=b#11:b#11
----
reply to 86: sync UnknownMemberId type=null protocol=null assignment=-

delete_offsets partitions=t-0,u-1
----
Ok([[None], [None]])
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 })
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 })

sync as=88 member=b#11 generation=6 assignments=b#11:b#11
----
reply to 88: sync RebalanceInProgress type=null protocol=null assignment=-

restart
----
no timer g Session("b#10")
no timer g Session("b#11")
no timer g Join

join as=90 member=x protocols=x:t,y:t session=7800 rebalance=16463
----
reply to 90: join UnknownMemberId member=x

join as=91 client=r instance=r protocols=x:t,y:t session=8886 rebalance=22154
----
timer g Session("r#12") at 390.186s
timer g Join at 93.186s

join as=92 client=b protocols=x:t,y:t session=9352 rebalance=11974
----
reply to 92: join MemberIdRequired member=b#13
timer g Session("b#13") at 99.538s

join as=93 member=b#13 protocols=x:t,y:t session=6019 rebalance=28265
----
timer g Session("b#13") at 390.186s

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=8 protocol=null leader=null since=1105072
reply to 93: join None member=b#13 generation=7 type=consumer protocol=x leader=r#12
reply to 91: join None member=r#12 generation=7 type=consumer protocol=x leader=r#12
  member b#13 metadata=[t]
  member r#12 instance=r metadata=[t]
no timer g Session("b#13")
no timer g Session("r#12")
no timer g Join

sync as=95 member=s#1 instance=s generation=8 assignments=
----
reply to 95: sync UnknownMemberId type=null protocol=null assignment=-

commit member=x generation=8 offsets=t-0:96,u-1:2
----
Err(UnknownMemberId)

join as=97 member=x protocols=x:u session=9344 rebalance=28247
----
reply to 97: join UnknownMemberId member=x

wait ms=3492
----

sync as=99 member=s#1 instance=s generation=9 assignments=
----
reply to 99: sync UnknownMemberId type=null protocol=null assignment=-

join as=100 client=b protocols=z:t session=7904 rebalance=25394
----
reply to 100: join MemberIdRequired member=b#14
timer g Session("b#14") at 131.593s

heartbeat member=b#14 generation=8
----
UnknownMemberId

join as=102 member=x protocols=x:t,y:t session=9456 rebalance=12662
----
reply to 102: join UnknownMemberId member=x

join as=103 client=b protocols=x:u session=6863 rebalance=19155
----
reply to 103: join MemberIdRequired member=b#15
timer g Session("b#15") at 130.552s

join as=104 member=x protocols=x:t,y:t session=7508 rebalance=15268
----
reply to 104: join UnknownMemberId member=x

join as=105 member=b#15 protocols=x:t,y:t session=7331 rebalance=26567
----
timer g Session("b#15") at 423.689s
timer g Join at 126.689s

join as=106 member=s#1 instance=s protocols=x:t,y:t session=8693 rebalance=23754
----
reply to 106: join UnknownMemberId member=s#1

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=10 protocol=null leader=null since=1134020
reply to 105: join None member=b#15 generation=9 type=consumer protocol=x leader=b#15
  member b#15 metadata=[t]
no timer g Session("b#14")
no timer g Session("b#15")
no timer g Join

commit member=s#1 instance=s generation=10 offsets=t-0:108,u-1:2
----
Err(UnknownMemberId)

join as=109 client=r instance=r protocols=x:u session=8833 rebalance=27528
----
timer g Session("r#16") at 453.7s
timer g Join at 156.7s

join as=110 member=r#16 instance=r protocols=x:u session=9337 rebalance=23236
----
reply to 109: join RebalanceInProgress member=r#16

sync as=111 member=r#16 instance=r generation=9 assignments=r#16:r#16
----
reply to 111: sync IllegalGeneration type=null protocol=null assignment=-

fetch
----

sync as=113 member=s#1 instance=s generation=11 assignments=r#16:r#16
----
reply to 113: sync UnknownMemberId type=null protocol=null assignment=-

commit member=x generation=10 offsets=t-0:114,u-1:2
----
Err(UnknownMemberId)

join as=115 member=r#16 instance=r protocols=x:t,y:t session=8090 rebalance=14578
----
reply to 110: join RebalanceInProgress member=r#16

commit offsets=t-0:1
----
Err(UnknownMemberId)

join as=117 client=s instance=s protocols=x:t,y:t session=7668 rebalance=23594
----
timer g Session("s#17") at 453.7s

join as=118 member=s#17 instance=s protocols=z:t session=6573 rebalance=18498
----
reply to 118: join InconsistentGroupProtocol member=s#17

heartbeat member=s#17 instance=s generation=11
----
IllegalGeneration

commit member=s#17 instance=s generation=9 offsets=t-0:120,u-1:2
----
Err(IllegalGeneration)

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=12 protocol=null leader=null since=1167790
reply to 115: join None member=r#16 generation=11 type=consumer protocol=x leader=r#16
  member r#16 instance=r metadata=[t]
  member s#17 instance=s metadata=[t]
reply to 117: join None member=s#17 generation=11 type=consumer protocol=x leader=r#16
no timer g Session("r#16")
no timer g Session("s#17")
no timer g Join

wait ms=3001
----

wait ms=30011
----

join as=124 client=b protocols=x:t,y:t session=7526 rebalance=15026
----
reply to 124: join MemberIdRequired member=b#18
timer g Session("b#18") at 224.249s

heartbeat member=b#18 generation=12
----
UnknownMemberId

heartbeat member=b#18 generation=12
----
UnknownMemberId

fetch
----

join as=128 member=s#1 instance=s protocols=z:t session=8245 rebalance=13363
----
reply to 128: join UnknownMemberId member=s#1

wait ms=1059
----

join as=130 client=s instance=s protocols=x:t,y:t session=9725 rebalance=14535
----
timer g Session("s#19") at 517.782s
timer g Join at 220.782s

join as=131 member=s#19 instance=s protocols=x:t,y:t session=8855 rebalance=12799
----
reply to 130: join RebalanceInProgress member=s#19

wait ms=3001
----
reply to 131: join None member=s#19 generation=13 type=consumer protocol=x leader=s#19
  member s#19 instance=s metadata=[t]
no timer g Join
timer g Session("s#19") at 229.637s
timer g Sync at 233.581s

sync as=133 member=s#19 instance=s generation=12 assignments=s#19:s#19
----
reply to 133: sync IllegalGeneration type=null protocol=null assignment=-

heartbeat member=x
----
UnknownMemberId

sync as=135 member=x generation=13 assignments=s#19:s#19
----
reply to 135: sync UnknownMemberId type=null protocol=null assignment=-

sync as=136 member=b#18 generation=13 assignments=s#19:s#19
----
reply to 136: sync UnknownMemberId type=null protocol=null assignment=-

join as=137 member=s#19 instance=s protocols=y:t+u,x:t session=9885 rebalance=27106
----
no timer g Sync
timer g Join at 247.889s

join as=138 member=b#18 protocols=x:t,y:t session=7220 rebalance=10365
----
reply to 138: join None member=b#18 generation=14 type=consumer protocol=x leader=s#19
reply to 137: join None member=s#19 generation=14 type=consumer protocol=x leader=s#19
  member b#18 metadata=[t]
  member s#19 instance=s metadata=[t]
no timer g Join
timer g Session("b#18") at 228.003s
timer g Session("s#19") at 230.668s
timer g Sync at 247.889s

heartbeat member=x
----
UnknownMemberId

commit member=s#19 instance=s generation=14 offsets=t-0:140,u-1:2
----
Err(RebalanceInProgress)

join as=141 member=b#18 protocols=x:t,y:t session=8574 rebalance=12040
----
reply to 141: join None member=b#18 generation=14 type=consumer protocol=x leader=s#19

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "CompletingRebalance", group_type: "classic" }

join as=143 member=b#18 protocols=x:u session=6255 rebalance=15918
----
no timer g Sync
timer g Join at 247.889s

heartbeat member=x
----
UnknownMemberId

commit member=b#18 generation=14 offsets=t-0:145,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=145 leader_epoch=-1 metadata="" committed=1220783 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1220783 expires=-1
timer g Session("b#18") at 227.038s

join as=146 client=s instance=s protocols=x:t,y:t v=8 session=9598 rebalance=26035
----
reply to 143: join None member=b#18 generation=15 type=consumer protocol=x leader=s#20
reply to 146: join None member=s#20 generation=15 type=consumer protocol=x leader=s#20
  member b#18 metadata=[u]
  member s#20 instance=s metadata=[t]
no timer g Session("s#19")
no timer g Join
timer g Session("s#20") at 230.381s
timer g Sync at 246.818s

join as=147 member=s#1 instance=s protocols=x:t,y:t session=8758 rebalance=19657
----
reply to 147: join FencedInstanceId member=s#1

wait ms=188
----

heartbeat member=s#1 instance=s generation=15
----
FencedInstanceId

sync as=150 member=b#18 generation=14 assignments=b#18:b#18,s#20:s#20
----
reply to 150: sync IllegalGeneration type=null protocol=null assignment=-

join as=151 member=b#18 protocols=x:t,y:t session=9559 rebalance=14655
----
no timer g Sync
timer g Join at 247.006s

join as=152 member=x protocols=x:t,y:t session=8841 rebalance=26219
----
reply to 152: join UnknownMemberId member=x

sync as=153 member=b#18 generation=16 assignments=b#18:b#18,s#20:s#20
----
reply to 153: sync IllegalGeneration type=null protocol=null assignment=-

sync as=154 member=s#20 instance=s generation=14 assignments=b#18:b#18,s#20:s#20
----
reply to 154: sync IllegalGeneration type=null protocol=null assignment=-

heartbeat member=s#1 instance=s generation=15
----
FencedInstanceId

sync as=156 member=s#1 instance=s generation=15 assignments=b#18:b#18,s#20:s#20
----
reply to 156: sync FencedInstanceId type=null protocol=null assignment=-

heartbeat member=b#18 generation=15
----
RebalanceInProgress
timer g Session("b#18") at 230.53s

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=17 protocol=null leader=null since=1239940
reply to 151: join None member=b#18 generation=16 type=consumer protocol=x leader=b#18
  member b#18 metadata=[t]
no timer g Session("b#18")
no timer g Session("s#20")
no timer g Join

fetch
----
t-0 offset=145 leader_epoch=-1 metadata=""
u-1 offset=2 leader_epoch=-1 metadata=""

fetch
----
t-0 offset=145 leader_epoch=-1 metadata=""
u-1 offset=2 leader_epoch=-1 metadata=""

join as=161 client=b protocols=x:t,y:t session=9419 rebalance=24339
----
reply to 161: join MemberIdRequired member=b#21
timer g Session("b#21") at 260.401s

join as=162 member=b#21 protocols=x:t,y:t session=7510 rebalance=27196
----
timer g Session("b#21") at 550.982s
timer g Join at 253.982s

join as=163 member=s#1 instance=s protocols=y:t+u,x:t session=9326 rebalance=15013
----
reply to 163: join UnknownMemberId member=s#1

join as=164 member=s#1 instance=s protocols=x:u session=6248 rebalance=9720
----
reply to 164: join UnknownMemberId member=s#1

sync as=165 member=b#21 generation=17 assignments=b#21:b#21
----
reply to 165: sync RebalanceInProgress type=null protocol=null assignment=-

sync as=166 member=x generation=17 assignments=b#21:b#21
----
reply to 166: sync UnknownMemberId type=null protocol=null assignment=-

wait ms=3001
----
reply to 162: join None member=b#21 generation=18 type=consumer protocol=x leader=b#21
  member b#21 metadata=[t]
no timer g Join
timer g Session("b#21") at 261.492s
timer g Sync at 281.178s

heartbeat member=b#21 generation=18
----
None
timer g Session("b#21") at 261.493s

leave members=b#21
----
Ok([None])
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=19 protocol=null leader=null since=1253983
no timer g Session("b#21")
no timer g Sync

wait ms=6307
----

wait ms=382
----

commit member=x generation=19 offsets=t-0:172,u-1:2
----
Err(UnknownMemberId)

wait ms=2296
----

sync as=174 member=s#1 instance=s generation=19 assignments=
----
reply to 174: sync UnknownMemberId type=null protocol=null assignment=-

heartbeat member=s#1 instance=s generation=19
----
UnknownMemberId

heartbeat member=s#1 instance=s generation=19
----
UnknownMemberId

join as=177 member=x protocols=z:t session=9375 rebalance=16481
----
reply to 177: join UnknownMemberId member=x

join as=178 member=s#1 instance=s protocols=x:t,y:t session=7029 rebalance=24766
----
reply to 178: join UnknownMemberId member=s#1

sync as=179 member=s#1 instance=s generation=19 assignments=
----
reply to 179: sync UnknownMemberId type=null protocol=null assignment=-

sync as=180 member=x generation=19 assignments=
----
reply to 180: sync UnknownMemberId type=null protocol=null assignment=-

heartbeat member=x generation=19
----
UnknownMemberId

join as=182 member=x protocols=x:t,y:t session=6600 rebalance=26618
----
reply to 182: join UnknownMemberId member=x

join as=183 client=a v=3 protocols=x:t,y:t session=9348 rebalance=9935
----
timer g Session("a#22") at 562.968s
timer g Join at 265.968s

wait ms=1809
----

join as=185 client=s instance=s protocols=y:t+u,x:t session=8368 rebalance=18363
----
timer g Session("s#23") at 564.777s

join as=186 member=a#22 protocols=z:t session=7415 rebalance=10014
----
reply to 186: join InconsistentGroupProtocol member=a#22

commit member=a#22 generation=19 offsets=t-0:187,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=187 leader_epoch=-1 metadata="" committed=1264777 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1264777 expires=-1
timer g Session("a#22") at 274.125s

sync as=188 member=a#22 generation=20 assignments=a#22:a#22,s#23:s#23
----
reply to 188: sync IllegalGeneration type=null protocol=null assignment=-

sync as=189 member=s#1 instance=s generation=19 assignments=a#22:a#22,s#23:s#23
----
reply to 189: sync FencedInstanceId type=null protocol=null assignment=-

join as=190 client=s instance=s protocols=y:t+u,x:t v=8 session=9805 rebalance=23308
----
reply to 185: join FencedInstanceId member=s#23
no timer g Session("s#23")
timer g Session("s#24") at 273.145s

heartbeat member=x
----
UnknownMemberId

join as=192 member=s#24 instance=s protocols=z:t session=9407 rebalance=17406
----
reply to 192: join InconsistentGroupProtocol member=s#24

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=21 protocol=null leader=null since=1278773
reply to 183: join None member=a#22 generation=20 type=consumer protocol=x leader=a#22
  member a#22 metadata=[t]
  member s#24 instance=s metadata=[t]
reply to 190: join None member=s#24 generation=20 type=consumer protocol=x leader=a#22
no timer g Session("a#22")
no timer g Session("s#24")
no timer g Join

join as=194 client=b protocols=z:t session=9171 rebalance=18272
----
reply to 194: join MemberIdRequired member=b#25
timer g Session("b#25") at 303.959s

join as=195 client=s instance=s protocols=z:t session=9663 rebalance=12572
----
timer g Session("s#26") at 594.788s
timer g Join at 297.788s

heartbeat member=x
----
UnknownMemberId

join as=197 client=s instance=s protocols=x:u v=8 session=6993 rebalance=18333
----
reply to 197: join InconsistentGroupProtocol member=

wait ms=3001
----
reply to 195: join None member=s#26 generation=22 type=consumer protocol=z leader=s#26
  member s#26 instance=s metadata=[t]
no timer g Join
timer g Session("s#26") at 307.451s
timer g Sync at 310.36s

leave members=b#25
----
Ok([None])
no timer g Session("b#25")
no timer g Sync
timer g Join at 310.361s

join as=200 member=s#26 instance=s protocols=x:t,y:t session=7651 rebalance=25845
----
reply to 200: join InconsistentGroupProtocol member=s#26

heartbeat member=s#26 instance=s generation=22
----
RebalanceInProgress
timer g Session("s#26") at 307.452s

sync as=202 member=s#1 instance=s generation=22 assignments=s#26:s#26
----
reply to 202: sync FencedInstanceId type=null protocol=null assignment=-

join as=203 member=x protocols=x:t,y:t session=9472 rebalance=19696
----
reply to 203: join InconsistentGroupProtocol member=x

describe
----
PreparingRebalance type="consumer" protocol=""
  member s#26 instance=s client=s host=/127.0.0.1 metadata=- assignment=-

join as=205 client=s instance=s protocols=x:t,y:t session=6737 rebalance=18788
----
reply to 205: join InconsistentGroupProtocol member=

fetch
----
t-0 offset=187 leader_epoch=-1 metadata=""
u-1 offset=2 leader_epoch=-1 metadata=""

join as=207 member=s#26 instance=s protocols=x:t,y:t session=8543 rebalance=18093
----
reply to 207: join InconsistentGroupProtocol member=s#26

join as=208 member=s#26 instance=s protocols=x:t,y:t session=9417 rebalance=16714
----
reply to 208: join InconsistentGroupProtocol member=s#26

sync as=209 member=s#26 instance=s generation=21 assignments=s#26:s#26
----
reply to 209: sync IllegalGeneration type=null protocol=null assignment=-

sync as=210 member=s#26 instance=s generation=22 assignments=s#26:s#26
----
reply to 210: sync RebalanceInProgress type=null protocol=null assignment=-

sync as=211 member=s#26 instance=s generation=22 assignments=s#26:s#26
----
reply to 211: sync RebalanceInProgress type=null protocol=null assignment=-

commit member=x generation=22 offsets=t-0:212,u-1:2
----
Err(UnknownMemberId)

wait ms=4869
----

restart
----
no timer g Session("s#26")
no timer g Join

wait ms=932
----

sync as=216 member=s#1 instance=s generation=21 assignments=
----
reply to 216: sync UnknownMemberId type=null protocol=null assignment=-

join as=217 client=a v=3 protocols=x:t,y:t session=9226 rebalance=23156
----
timer g Session("a#27") at 603.59s
timer g Join at 306.59s

join as=218 client=s instance=s protocols=x:t,y:t session=9786 rebalance=28179
----
timer g Session("s#28") at 603.59s

join as=219 member=a#27 protocols=x:t,y:t session=9342 rebalance=27956
----
reply to 217: join RebalanceInProgress member=a#27

wait ms=3001
----
timer g Join at 309.59s

heartbeat member=x
----
UnknownMemberId

wait ms=3001
----
reply to 219: join None member=a#27 generation=22 type=consumer protocol=x leader=a#27
  member a#27 metadata=[t]
  member s#28 instance=s metadata=[t]
reply to 218: join None member=s#28 generation=22 type=consumer protocol=x leader=a#27
no timer g Join
timer g Session("a#27") at 318.932s
timer g Session("s#28") at 319.376s
timer g Sync at 337.769s

sync as=223 member=a#27 generation=22 assignments=a#27:a#27,s#28:s#28
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=22 protocol=x leader=a#27 since=1309590
  member a#27 client=a host=/127.0.0.1 rebalance=27956 session=9342 metadata=[t] assignment=a#27
  member s#28 instance=s client=s host=/127.0.0.1 rebalance=28179 session=9786 metadata=[t] assignment=s#28
reply to 223: sync None type=consumer protocol=x assignment=a#27
timer g Session("a#27") at 318.934s

commit member=a#27 generation=21 offsets=t-0:224,u-1:2
----
Err(IllegalGeneration)

join as=225 member=s#28 instance=s protocols=z:t session=8823 rebalance=16435
----
reply to 225: join InconsistentGroupProtocol member=s#28

heartbeat member=a#27 generation=22
----
None

wait ms=5942
----

join as=228 member=x protocols=z:t session=7904 rebalance=17983
----
reply to 228: join InconsistentGroupProtocol member=x

sync as=229 member=s#1 instance=s generation=22 assignments=a#27:a#27,s#28:s#28
----
reply to 229: sync FencedInstanceId type=null protocol=null assignment=-

restart
----
no timer g Sync
timer g Session("a#27") at 324.876s
timer g Session("s#28") at 325.32s

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=23 protocol=null leader=null since=1325320
no timer g Session("a#27")
no timer g Session("s#28")

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "Empty", group_type: "classic" }

heartbeat member=x generation=23
----
UnknownMemberId

fetch
----
t-0 offset=187 leader_epoch=-1 metadata=""
u-1 offset=2 leader_epoch=-1 metadata=""

commit member=x generation=24 offsets=t-0:235,u-1:2
----
Err(UnknownMemberId)

join as=236 client=a v=3 protocols=y:t+u,x:t session=8816 rebalance=13205
----
timer g Session("a#29") at 645.545s
timer g Join at 348.545s

heartbeat member=s#1 instance=s generation=24
----
UnknownMemberId

join as=238 client=b protocols=y:t+u,x:t session=9090 rebalance=14580
----
reply to 238: join MemberIdRequired member=b#30
timer g Session("b#30") at 354.635s

sync as=239 member=b#30 generation=22 assignments=a#29:a#29
----
reply to 239: sync UnknownMemberId type=null protocol=null assignment=-

sync as=240 member=a#29 generation=23 assignments=a#29:a#29
----
reply to 240: sync RebalanceInProgress type=null protocol=null assignment=-

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=25 protocol=null leader=null since=1357361
reply to 236: join None member=a#29 generation=24 type=consumer protocol=y leader=a#29
  member a#29 metadata=[t+u]
no timer g Session("a#29")
no timer g Session("b#30")
no timer g Join

commit member=s#1 instance=s generation=26 offsets=t-0:242,u-1:2
----
Err(UnknownMemberId)

join as=243 client=b protocols=y:t+u,x:t session=8831 rebalance=11108
----
reply to 243: join MemberIdRequired member=b#31
timer g Session("b#31") at 384.387s

join as=244 member=b#31 protocols=y:t+u,x:t session=9567 rebalance=10442
----
timer g Session("b#31") at 675.556s
timer g Join at 378.556s

heartbeat member=b#31 generation=25
----
RebalanceInProgress
timer g Session("b#31") at 385.123s

heartbeat member=b#31 generation=25
----
RebalanceInProgress

wait ms=4824
----
reply to 244: join None member=b#31 generation=26 type=consumer protocol=y leader=b#31
  member b#31 metadata=[t+u]
no timer g Join
timer g Session("b#31") at 388.123s
timer g Sync at 388.998s

commit member=s#1 instance=s generation=26 offsets=t-0:248,u-1:2
----
Err(UnknownMemberId)

join as=249 client=r instance=r protocols=x:u session=6365 rebalance=26965
----
no timer g Sync
timer g Session("r#32") at 680.38s
timer g Join at 407.345s
