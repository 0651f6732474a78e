# Written by src/coordinator/classic/random.rs
sync as=0 member=x generation=0 assignments=
----
reply to 0: sync UnknownMemberId type=null protocol=null assignment=-

join as=1 member=x protocols=x:t,y:t session=7986 rebalance=21768
----
reply to 1: join UnknownMemberId member=x

commit member=x generation=-1 offsets=t-0:2,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1000000 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1000000 expires=-1

join as=3 client=a v=3 protocols=x:u session=8324 rebalance=24522
----
timer g Session("a#1") at 300s
timer g Join at 3s

join as=4 client=b protocols=x:u session=6465 rebalance=16035
----
reply to 4: join MemberIdRequired member=b#2
timer g Session("b#2") at 6.465s

sync as=5 member=a#1 generation=0 assignments=a#1:a#1
----
reply to 5: sync RebalanceInProgress type=null protocol=null assignment=-

commit offsets=t-0:1
----
Err(UnknownMemberId)

join as=7 member=b#2 protocols=z:t session=7460 rebalance=20261
----
reply to 7: join InconsistentGroupProtocol member=b#2

delete group=g
----
Err(NonEmptyGroup)

join as=9 member=b#2 protocols=x:u session=7188 rebalance=28361
----
timer g Session("b#2") at 300s

sync as=10 member=x generation=0 assignments=a#1:a#1,b#2:b#2
----
reply to 10: sync UnknownMemberId type=null protocol=null assignment=-

fetch
----
t-0 offset=2 leader_epoch=-1 metadata=""
u-1 offset=2 leader_epoch=-1 metadata=""

commit offsets=t-0:1
----
Err(UnknownMemberId)

join as=13 member=a#1 protocols=x:u session=7341 rebalance=17831
----
reply to 3: join RebalanceInProgress member=a#1

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "PreparingRebalance", group_type: "classic" }

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=2 protocol=null leader=null since=1013341
reply to 13: join None member=a#1 generation=1 type=consumer protocol=x leader=a#1
  member a#1 metadata=[u]
  member b#2 metadata=[u]
reply to 9: join None member=b#2 generation=1 type=consumer protocol=x leader=a#1
no timer g Session("a#1")
no timer g Session("b#2")
no timer g Join

sync as=16 member=x generation=1 assignments=
----
reply to 16: sync UnknownMemberId type=null protocol=null assignment=-

heartbeat member=x generation=2
----
UnknownMemberId

sync as=18 member=s#1 instance=s generation=2 assignments=
----
reply to 18: sync UnknownMemberId type=null protocol=null assignment=-

wait ms=3001
----

expire
----

fetch
----
t-0 offset=2 leader_epoch=-1 metadata=""
u-1 offset=2 leader_epoch=-1 metadata=""

sync as=22 member=x generation=2 assignments=
----
reply to 22: sync UnknownMemberId type=null protocol=null assignment=-

commit member=x generation=2 offsets=t-0:23,u-1:2
----
Err(UnknownMemberId)

sync as=24 member=s#1 instance=s generation=3 assignments=
----
reply to 24: sync UnknownMemberId type=null protocol=null assignment=-

join as=25 client=a v=3 protocols=x:t,y:t session=9754 rebalance=19680
----
timer g Session("a#3") at 333.012s
timer g Join at 36.012s

join as=26 member=s#1 instance=s protocols=x:u session=8120 rebalance=17948
----
reply to 26: join UnknownMemberId member=s#1

sync as=27 member=s#1 instance=s generation=2 assignments=a#3:a#3
----
reply to 27: sync UnknownMemberId type=null protocol=null assignment=-

heartbeat member=x generation=2
----
UnknownMemberId

join as=29 member=a#3 protocols=x:u session=6715 rebalance=12306
----
reply to 25: join RebalanceInProgress member=a#3

heartbeat member=a#3 generation=2
----
RebalanceInProgress
timer g Session("a#3") at 39.727s

join as=31 member=a#3 protocols=x:t,y:t session=7031 rebalance=26241
----
reply to 29: join RebalanceInProgress member=a#3

heartbeat member=s#1 instance=s generation=2
----
UnknownMemberId

sync as=33 member=a#3 generation=2 assignments=a#3:a#3
----
reply to 33: sync RebalanceInProgress type=null protocol=null assignment=-

restart
----
no timer g Session("a#3")
no timer g Join

heartbeat member=x generation=2
----
UnknownMemberId

join as=36 member=x protocols=y:t+u,x:t session=9538 rebalance=16164
----
reply to 36: join UnknownMemberId member=x

join as=37 client=s instance=s protocols=x:t,y:t session=9230 rebalance=14163
----
timer g Session("s#4") at 333.012s
timer g Join at 36.012s

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=4 protocol=null leader=null since=1045242
reply to 37: join None member=s#4 generation=3 type=consumer protocol=x leader=s#4
  member s#4 instance=s metadata=[t]
no timer g Session("s#4")
no timer g Join

sync as=39 member=s#1 instance=s generation=4 assignments=
----
reply to 39: sync UnknownMemberId type=null protocol=null assignment=-

join as=40 member=x protocols=x:t,y:t session=7705 rebalance=15580
----
reply to 40: join UnknownMemberId member=x

commit member=x generation=4 offsets=t-0:41,u-1:2
----
Err(UnknownMemberId)

wait ms=8912
----

join as=43 member=s#1 instance=s protocols=x:t,y:t session=8411 rebalance=18640
----
reply to 43: join UnknownMemberId member=s#1

sync as=44 member=x generation=4 assignments=
----
reply to 44: sync UnknownMemberId type=null protocol=null assignment=-

leave members=x
----
Ok([UnknownMemberId])

sync as=46 member=s#1 instance=s generation=4 assignments=
----
reply to 46: sync UnknownMemberId type=null protocol=null assignment=-

heartbeat member=x generation=4
----
UnknownMemberId

join as=48 client=b protocols=x:t,y:t session=7467 rebalance=10474
----
reply to 48: join MemberIdRequired member=b#5
timer g Session("b#5") at 79.402s

wait ms=6445
----

join as=50 client=r instance=r protocols=z:t session=7744 rebalance=18261
----
timer g Session("r#6") at 378.38s
timer g Join at 81.38s

join as=51 member=s#1 instance=s protocols=x:t,y:t session=8574 rebalance=20494
----
reply to 51: join InconsistentGroupProtocol member=s#1

heartbeat member=r#6 instance=r generation=4
----
RebalanceInProgress
timer g Session("r#6") at 86.124s

wait ms=3001
----
reply to 50: join None member=r#6 generation=5 type=consumer protocol=z leader=r#6
  member r#6 instance=r metadata=[t]
no timer g Session("b#5")
no timer g Join
timer g Session("r#6") at 87.146s
timer g Sync at 97.663s

heartbeat member=r#6 instance=r generation=4
----
IllegalGeneration

join as=55 client=b protocols=z:t session=9416 rebalance=14214
----
reply to 55: join MemberIdRequired member=b#7
timer g Session("b#7") at 90.797s

leave members=/s
----
Ok([UnknownMemberId])

heartbeat member=b#7 generation=4
----
UnknownMemberId

join as=58 member=x protocols=z:t session=7342 rebalance=16781
----
reply to 58: join UnknownMemberId member=x

commit member=r#6 instance=r generation=5 offsets=t-0:59,u-1:2
----
Err(RebalanceInProgress)

sync as=60 member=b#7 generation=6 assignments=r#6:r#6
----
reply to 60: sync UnknownMemberId type=null protocol=null assignment=-

join as=61 member=r#6 instance=r protocols=x:t,y:t session=6684 rebalance=21950
----
reply to 61: join InconsistentGroupProtocol member=r#6

join as=62 member=b#7 protocols=y:t+u,x:t session=9852 rebalance=27397
----
reply to 62: join InconsistentGroupProtocol member=b#7

wait ms=3001
----

commit member=b#7 generation=5 offsets=t-0:64,u-1:2
----
Err(UnknownMemberId)

wait ms=643
----

sync as=66 member=r#6 instance=r generation=5 assignments=r#6:r#6
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=5 protocol=z leader=r#6 since=1079402
  member r#6 instance=r client=r host=/127.0.0.1 rebalance=18261 session=7744 metadata=[t] assignment=r#6
reply to 66: sync None type=consumer protocol=z assignment=r#6
no timer g Sync
timer g Session("r#6") at 92.769s

leave members=b#7
----
Ok([None])
no timer g Session("b#7")
timer g Join at 103.286s

describe
----
PreparingRebalance type="consumer" protocol=""
  member r#6 instance=r client=r host=/127.0.0.1 metadata=- assignment=r#6

join as=69 client=s instance=s protocols=z:t session=8755 rebalance=23361
----
timer g Session("s#8") at 385.025s

join as=70 member=s#8 instance=s protocols=x:t,y:t session=9316 rebalance=27350
----
reply to 70: join InconsistentGroupProtocol member=s#8

join as=71 member=s#8 instance=s protocols=x:t,y:t session=9712 rebalance=9363
----
reply to 71: join InconsistentGroupProtocol member=s#8

delete_offsets partitions=t-0,u-1
----
Ok([[GroupSubscribedToTopic], [None]])
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 })

heartbeat member=s#8 instance=s generation=6
----
IllegalGeneration

commit offsets=t-0:1
----
Err(UnknownMemberId)

sync as=75 member=s#8 instance=s generation=5 assignments=r#6:r#6,s#8:s#8
----
reply to 75: sync RebalanceInProgress type=null protocol=null assignment=-

join as=76 member=r#6 instance=r protocols=x:u session=9604 rebalance=28700
----
reply to 76: join InconsistentGroupProtocol member=r#6

wait ms=5596
----

wait ms=2631
----
reply to 69: join None member=s#8 generation=6 type=consumer protocol=z leader=s#8
  member s#8 instance=s metadata=[t]
no timer g Session("r#6")
no timer g Join
timer g Session("s#8") at 101.524s
timer g Sync at 116.13s

join as=79 member=s#8 instance=s protocols=x:t,y:t session=9007 rebalance=24182
----
reply to 79: join InconsistentGroupProtocol member=s#8

join as=80 member=s#8 instance=s protocols=x:u session=8406 rebalance=25211
----
reply to 80: join InconsistentGroupProtocol member=s#8

join as=81 member=x protocols=y:t+u,x:t session=8910 rebalance=20668
----
reply to 81: join InconsistentGroupProtocol member=x

heartbeat member=s#8 instance=s generation=5
----
IllegalGeneration

sync as=83 member=s#8 instance=s generation=6 assignments=s#8:s#8
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=6 protocol=z leader=s#8 since=1092769
  member s#8 instance=s client=s host=/127.0.0.1 rebalance=23361 session=8755 metadata=[t] assignment=s#8
reply to 83: sync None type=consumer protocol=z assignment=s#8
no timer g Sync
timer g Session("s#8") at 102.007s

join as=84 client=s instance=s protocols=x:t,y:t session=7053 rebalance=16098
----
reply to 84: join InconsistentGroupProtocol member=

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "Stable", group_type: "classic" }

join as=86 member=x protocols=x:u session=9571 rebalance=20889
----
reply to 86: join InconsistentGroupProtocol member=x

heartbeat member=s#1 instance=s generation=6
----
FencedInstanceId

fetch
----
t-0 offset=2 leader_epoch=-1 metadata=""

commit offsets=t-0:1
----
Err(UnknownMemberId)

join as=90 member=s#8 instance=s protocols=x:t,y:t session=9636 rebalance=18379
----
reply to 90: join InconsistentGroupProtocol member=s#8

wait ms=6390
----

sync as=92 member=s#8 instance=s generation=6 assignments=s#8:s#8
----
reply to 92: sync None type=consumer protocol=z assignment=s#8

join as=93 client=s instance=s protocols=z:t session=7793 rebalance=23246
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=6 protocol=z leader=s#9 since=1093252
  member s#9 instance=s client=s host=/127.0.0.1 rebalance=23246 session=7793 metadata=[t] assignment=s#8
reply to 93: join None member=s#9 generation=6 type=consumer protocol=z leader=s#9 skip_assignment
  member s#9 instance=s metadata=[t]
no timer g Session("s#8")
timer g Session("s#9") at 108.397s

sync as=94 member=s#9 instance=s generation=7 assignments=s#9:s#9
----
reply to 94: sync IllegalGeneration type=null protocol=null assignment=-

join as=95 member=s#9 instance=s protocols=x:u session=6860 rebalance=10867
----
reply to 95: join InconsistentGroupProtocol member=s#9

wait ms=1075
----

commit member=s#9 instance=s generation=6 offsets=t-0:97,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=97 leader_epoch=-1 metadata="" committed=1100717 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1100717 expires=-1
timer g Session("s#9") at 108.51s

commit member=s#1 instance=s generation=6 offsets=t-0:98,u-1:2
----
Err(FencedInstanceId)

wait ms=3001
----

join as=100 client=s instance=s protocols=x:t,y:t session=8661 rebalance=26207
----
reply to 100: join InconsistentGroupProtocol member=

heartbeat member=s#9 instance=s generation=6
----
None
timer g Session("s#9") at 111.511s

join as=102 member=s#9 instance=s protocols=x:u session=6782 rebalance=17928
----
reply to 102: join InconsistentGroupProtocol member=s#9

sync as=103 member=s#9 instance=s generation=6 assignments=s#9:s#9
----
reply to 103: sync None type=consumer protocol=z assignment=s#8

delete group=g
----
Err(NonEmptyGroup)

sync as=105 member=s#1 instance=s generation=5 assignments=s#9:s#9
----
reply to 105: sync FencedInstanceId type=null protocol=null assignment=-

sync as=106 member=s#9 instance=s generation=6 assignments=s#9:s#9
----
reply to 106: sync None type=consumer protocol=z assignment=s#8

heartbeat member=x
----
UnknownMemberId

sync as=108 member=s#9 instance=s generation=5 assignments=s#9:s#9
----
reply to 108: sync IllegalGeneration type=null protocol=null assignment=-

wait ms=4092
----

join as=110 member=s#9 instance=s protocols=x:t,y:t session=9769 rebalance=23864
----
reply to 110: join InconsistentGroupProtocol member=s#9

heartbeat member=x generation=6
----
UnknownMemberId

commit member=s#9 instance=s generation=7 offsets=t-0:112,u-1:2
----
Err(IllegalGeneration)

join as=113 member=s#1 instance=s protocols=x:t,y:t session=7992 rebalance=19842
----
reply to 113: join InconsistentGroupProtocol member=s#1

join as=114 client=a v=3 protocols=x:u session=8329 rebalance=23557
----
reply to 114: join InconsistentGroupProtocol member=

leave members=/s
----
Ok([None])
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=7 protocol=null leader=null since=1107810
no timer g Session("s#9")

join as=116 client=r instance=r protocols=x:t,y:t session=9353 rebalance=21446
----
timer g Session("r#10") at 407.81s
timer g Join at 110.81s

sync as=117 member=x generation=7 assignments=r#10:r#10
----
reply to 117: sync UnknownMemberId type=null protocol=null assignment=-

sync as=118 member=r#10 instance=r generation=7 assignments=r#10:r#10
----
reply to 118: sync RebalanceInProgress type=null protocol=null assignment=-

join as=119 member=x protocols=x:t,y:t session=6500 rebalance=24859
----
reply to 119: join UnknownMemberId member=x

join as=120 client=a v=3 protocols=x:t,y:t session=9312 rebalance=23432
----
timer g Session("a#11") at 407.81s

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=9 protocol=null leader=null since=1123163
reply to 120: join None member=a#11 generation=8 type=consumer protocol=x leader=r#10
reply to 116: join None member=r#10 generation=8 type=consumer protocol=x leader=r#10
  member a#11 metadata=[t]
  member r#10 instance=r metadata=[t]
no timer g Session("a#11")
no timer g Session("r#10")
no timer g Join

heartbeat member=s#1 instance=s generation=9
----
UnknownMemberId

join as=123 member=s#1 instance=s protocols=x:t,y:t session=9574 rebalance=9879
----
reply to 123: join UnknownMemberId member=s#1

join as=124 member=s#1 instance=s protocols=z:t session=8451 rebalance=11551
----
reply to 124: join UnknownMemberId member=s#1

heartbeat member=s#1 instance=s generation=8
----
UnknownMemberId

sync as=126 member=s#1 instance=s generation=9 assignments=
----
reply to 126: sync UnknownMemberId type=null protocol=null assignment=-

sync as=127 member=x generation=9 assignments=
----
reply to 127: sync UnknownMemberId type=null protocol=null assignment=-

leave members=s#1/s
----
Ok([UnknownMemberId])

commit member=s#1 instance=s generation=9 offsets=t-0:129,u-1:2
----
Err(UnknownMemberId)

join as=130 member=x protocols=x:t,y:t session=7845 rebalance=16081
----
reply to 130: join UnknownMemberId member=x

join as=131 member=s#1 instance=s protocols=y:t+u,x:t session=7731 rebalance=16531
----
reply to 131: join UnknownMemberId member=s#1

wait ms=7845
----

join as=133 client=a v=3 protocols=x:t,y:t session=7245 rebalance=13708
----
timer g Session("a#12") at 445.666s
timer g Join at 148.666s

join as=134 client=a v=3 protocols=x:u session=6366 rebalance=21804
----
timer g Session("a#13") at 445.666s

join as=135 member=a#13 protocols=y:t+u,x:t session=7466 rebalance=12503
----
reply to 134: join RebalanceInProgress member=a#13

sync as=136 member=s#1 instance=s generation=9 assignments=a#12:a#12,a#13:a#13
----
reply to 136: sync UnknownMemberId type=null protocol=null assignment=-

wait ms=3001
----
timer g Join at 151.666s

join as=138 member=a#12 protocols=z:t session=7776 rebalance=12599
----
reply to 138: join InconsistentGroupProtocol member=a#12

sync as=139 member=a#13 generation=9 assignments=a#12:a#12,a#13:a#13
----
reply to 139: sync RebalanceInProgress type=null protocol=null assignment=-

commit member=a#12 generation=9 offsets=t-0:140,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=140 leader_epoch=-1 metadata="" committed=1148667 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1148667 expires=-1
timer g Session("a#12") at 155.912s

wait ms=3272
----
reply to 133: join None member=a#12 generation=10 type=consumer protocol=x leader=a#12
  member a#12 metadata=[t]
  member a#13 metadata=[t]
reply to 135: join None member=a#13 generation=10 type=consumer protocol=x leader=a#12
no timer g Join
timer g Session("a#12") at 158.911s
timer g Session("a#13") at 159.132s
timer g Sync at 165.374s

wait ms=910
----

heartbeat member=s#1 instance=s generation=10
----
UnknownMemberId

sync as=144 member=a#13 generation=11 assignments=a#12:a#12,a#13:a#13
----
reply to 144: sync IllegalGeneration type=null protocol=null assignment=-

wait ms=1345
----

join as=146 member=a#12 protocols=x:t,y:t session=9423 rebalance=16012
----
reply to 146: join None member=a#12 generation=10 type=consumer protocol=x leader=a#12
  member a#12 metadata=[t]
  member a#13 metadata=[t]

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=11 protocol=null leader=null since=1159132
no timer g Session("a#12")
no timer g Session("a#13")
no timer g Sync

join as=148 client=a v=3 protocols=y:t+u,x:t session=9173 rebalance=16752
----
timer g Session("a#14") at 484.205s
timer g Join at 187.205s

join as=149 member=x protocols=x:u session=8982 rebalance=14342
----
reply to 149: join UnknownMemberId member=x

join as=150 member=a#14 protocols=y:t+u,x:t session=7449 rebalance=10455
----
reply to 148: join RebalanceInProgress member=a#14

wait ms=3001
----
reply to 150: join None member=a#14 generation=12 type=consumer protocol=y leader=a#14
  member a#14 metadata=[t+u]
no timer g Join
timer g Session("a#14") at 194.654s
timer g Sync at 197.66s

commit member=x generation=12 offsets=t-0:152,u-1:2
----
Err(UnknownMemberId)

join as=153 member=a#14 protocols=x:t,y:t session=7720 rebalance=17850
----
reply to 153: join None member=a#14 generation=13 type=consumer protocol=x leader=a#14
  member a#14 metadata=[t]
timer g Session("a#14") at 194.926s
timer g Sync at 205.056s

sync as=154 member=x generation=13 assignments=a#14:a#14
----
reply to 154: sync UnknownMemberId type=null protocol=null assignment=-

leave members=s#1/s
----
Ok([UnknownMemberId])

join as=156 member=a#14 protocols=x:t,y:t session=9727 rebalance=19413
----
reply to 156: join None member=a#14 generation=13 type=consumer protocol=x leader=a#14
  member a#14 metadata=[t]

wait ms=6731
----

join as=158 client=b protocols=z:t session=7515 rebalance=24377
----
reply to 158: join InconsistentGroupProtocol member=

delete_offsets partitions=t-0,u-1
----
Ok([[GroupSubscribedToTopic], [None]])
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 })

wait ms=7939
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=14 protocol=null leader=null since=1194926
no timer g Session("a#14")
no timer g Sync

join as=161 client=a v=3 protocols=x:t,y:t session=8904 rebalance=21650
----
timer g Session("a#15") at 501.876s
timer g Join at 204.876s

join as=162 client=r instance=r protocols=x:u session=6620 rebalance=28483
----
timer g Session("r#16") at 501.876s

describe
----
PreparingRebalance type="consumer" protocol=""
  member a#15 client=a host=/127.0.0.1 metadata=- assignment=-
  member r#16 instance=r client=r host=/127.0.0.1 metadata=- assignment=-

join as=164 member=a#15 protocols=x:t,y:t session=6050 rebalance=9598
----
reply to 161: join RebalanceInProgress member=a#15

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=16 protocol=null leader=null since=1214496
reply to 164: join None member=a#15 generation=15 type=consumer protocol=x leader=a#15
  member a#15 metadata=[t]
  member r#16 instance=r metadata=[u]
reply to 162: join None member=r#16 generation=15 type=consumer protocol=x leader=a#15
no timer g Session("a#15")
no timer g Session("r#16")
no timer g Join

join as=166 client=r instance=r protocols=y:t+u,x:t session=6904 rebalance=17160
----
timer g Session("r#17") at 531.887s
timer g Join at 234.887s

sync as=167 member=r#17 instance=r generation=16 assignments=r#17:r#17
----
reply to 167: sync RebalanceInProgress type=null protocol=null assignment=-

join as=168 member=r#17 instance=r protocols=x:t,y:t session=9043 rebalance=19218
----
reply to 166: join RebalanceInProgress member=r#17

join as=169 client=s instance=s protocols=x:t,y:t session=8906 rebalance=27083
----
timer g Session("s#18") at 531.887s

join as=170 client=s instance=s protocols=z:t v=8 session=9730 rebalance=10103
----
reply to 170: join InconsistentGroupProtocol member=

join as=171 client=s instance=s protocols=z:t v=8 session=6235 rebalance=12521
----
reply to 171: join InconsistentGroupProtocol member=

wait ms=3001
----
timer g Join at 237.887s

join as=173 client=s instance=s protocols=y:t+u,x:t v=8 session=7321 rebalance=15239
----
reply to 169: join FencedInstanceId member=s#18
no timer g Session("s#18")
timer g Session("s#19") at 243.794s

heartbeat member=x generation=16
----
UnknownMemberId

commit member=r#17 instance=r generation=15 offsets=t-0:175,u-1:2
----
Err(IllegalGeneration)

sync as=176 member=s#19 instance=s generation=16 assignments=r#17:r#17,s#19:s#19
----
reply to 176: sync RebalanceInProgress type=null protocol=null assignment=-

wait ms=7043
----
reply to 168: join None member=r#17 generation=17 type=consumer protocol=x leader=r#17
  member r#17 instance=r metadata=[t]
  member s#19 instance=s metadata=[t]
reply to 173: join None member=s#19 generation=17 type=consumer protocol=x leader=r#17
no timer g Join
timer g Session("r#17") at 246.93s
timer g Session("s#19") at 245.208s
timer g Sync at 257.105s

heartbeat member=x generation=16
----
UnknownMemberId

heartbeat member=r#17 instance=r generation=17
----
None
timer g Session("r#17") at 250.974s

sync as=180 member=x generation=16 assignments=r#17:r#17,s#19:s#19
----
reply to 180: sync UnknownMemberId type=null protocol=null assignment=-

join as=181 member=s#19 instance=s protocols=x:t,y:t session=6260 rebalance=20692
----
no timer g Sync
timer g Join at 262.623s

join as=182 member=s#19 instance=s protocols=x:t,y:t session=6913 rebalance=16010
----
reply to 181: join RebalanceInProgress member=s#19

sync as=183 member=s#19 instance=s generation=18 assignments=r#17:r#17,s#19:s#19
----
reply to 183: sync IllegalGeneration type=null protocol=null assignment=-

sync as=184 member=s#19 instance=s generation=16 assignments=r#17:r#17,s#19:s#19
----
reply to 184: sync IllegalGeneration type=null protocol=null assignment=-

join as=185 member=r#17 instance=r protocols=x:u session=8801 rebalance=10621
----
reply to 185: join None member=r#17 generation=18 type=consumer protocol=x leader=r#17
  member r#17 instance=r metadata=[u]
  member s#19 instance=s metadata=[t]
reply to 182: join None member=s#19 generation=18 type=consumer protocol=x leader=r#17
no timer g Join
timer g Session("r#17") at 250.732s
timer g Session("s#19") at 248.844s
timer g Sync at 257.941s

sync as=186 member=s#1 instance=s generation=18 assignments=r#17:r#17,s#19:s#19
----
reply to 186: sync FencedInstanceId type=null protocol=null assignment=-

join as=187 member=r#17 instance=r protocols=x:u session=6417 rebalance=20789
----
reply to 187: join None member=r#17 generation=18 type=consumer protocol=x leader=r#17
  member r#17 instance=r metadata=[u]
  member s#19 instance=s metadata=[t]

commit member=s#1 instance=s generation=18 offsets=t-0:188,u-1:2
----
Err(FencedInstanceId)

heartbeat member=x generation=17
----
UnknownMemberId

heartbeat member=s#19 instance=s generation=17
----
IllegalGeneration

join as=191 client=s instance=s protocols=x:u v=8 session=8097 rebalance=22278
----
no timer g Session("s#19")
no timer g Sync
timer g Session("s#20") at 248.844s
timer g Join at 264.209s

sync as=192 member=r#17 instance=r generation=18 assignments=r#17:r#17,s#20:s#20
----
reply to 192: sync RebalanceInProgress type=null protocol=null assignment=-

wait ms=244
----

join as=194 member=s#1 instance=s protocols=x:t,y:t session=7038 rebalance=23798
----
reply to 194: join FencedInstanceId member=s#1

join as=195 member=r#17 instance=r protocols=z:t session=9495 rebalance=11799
----
reply to 195: join InconsistentGroupProtocol member=r#17

heartbeat member=x
----
UnknownMemberId

commit member=r#17 instance=r generation=18 offsets=t-0:197,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=197 leader_epoch=-1 metadata="" committed=1242175 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1242175 expires=-1
timer g Session("r#17") at 250.976s

commit member=s#20 instance=s generation=19 offsets=t-0:198,u-1:2
----
Err(IllegalGeneration)

describe
----
PreparingRebalance type="consumer" protocol=""
  member r#17 instance=r client=r host=/127.0.0.1 metadata=- assignment=-
  member s#20 instance=s client=s host=/127.0.0.1 metadata=- assignment=-

restart
----
no timer g Session("r#17")
no timer g Session("s#20")
no timer g Join

fetch
----
t-0 offset=197 leader_epoch=-1 metadata=""
u-1 offset=2 leader_epoch=-1 metadata=""

join as=202 client=s instance=s protocols=x:t,y:t session=7925 rebalance=14344
----
timer g Session("s#21") at 542.175s
timer g Join at 245.175s

sync as=203 member=s#21 instance=s generation=17 assignments=s#21:s#21
----
reply to 203: sync IllegalGeneration type=null protocol=null assignment=-

join as=204 client=b protocols=x:t,y:t session=7785 rebalance=23323
----
reply to 204: join MemberIdRequired member=b#22
timer g Session("b#22") at 249.96s

join as=205 member=s#21 instance=s protocols=z:t session=7377 rebalance=9163
----
reply to 205: join InconsistentGroupProtocol member=s#21

commit member=b#22 generation=16 offsets=t-0:206,u-1:2
----
Err(UnknownMemberId)

leave members=x
----
Ok([UnknownMemberId])

join as=208 member=b#22 protocols=y:t+u,x:t session=8470 rebalance=28453
----
timer g Session("b#22") at 542.175s

join as=209 member=s#21 instance=s protocols=x:t,y:t session=6516 rebalance=25262
----
reply to 202: join RebalanceInProgress member=s#21

sync as=210 member=s#21 instance=s generation=16 assignments=b#22:b#22,s#21:s#21
----
reply to 210: sync RebalanceInProgress type=null protocol=null assignment=-

heartbeat member=s#21 instance=s generation=16
----
RebalanceInProgress
timer g Session("s#21") at 248.691s

join as=212 member=x protocols=x:t,y:t session=9095 rebalance=23207
----
reply to 212: join UnknownMemberId member=x

join as=213 member=s#21 instance=s protocols=x:t,y:t session=6074 rebalance=11075
----
reply to 209: join RebalanceInProgress member=s#21

sync as=214 member=s#21 instance=s generation=17 assignments=b#22:b#22,s#21:s#21
----
reply to 214: sync IllegalGeneration type=null protocol=null assignment=-

sync as=215 member=x generation=16 assignments=b#22:b#22,s#21:s#21
----
reply to 215: sync UnknownMemberId type=null protocol=null assignment=-

leave members=/s
----
Ok([None])
reply to 213: join UnknownMemberId member=
no timer g Session("s#21")

commit member=s#1 instance=s generation=16 offsets=t-0:217,u-1:2
----
Err(UnknownMemberId)

commit member=b#22 generation=16 offsets=t-0:218,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=218 leader_epoch=-1 metadata="" committed=1242175 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1242175 expires=-1
timer g Session("b#22") at 250.645s

sync as=219 member=b#22 generation=16 assignments=b#22:b#22
----
reply to 219: sync RebalanceInProgress type=null protocol=null assignment=-

leave members=/s
----
Ok([UnknownMemberId])

join as=221 client=a v=3 protocols=y:t+u,x:t session=6468 rebalance=26896
----
timer g Session("a#23") at 542.175s

commit member=b#22 generation=16 offsets=t-0:222,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=222 leader_epoch=-1 metadata="" committed=1242175 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1242175 expires=-1

leave members=b#22
----
Ok([None])
reply to 208: join UnknownMemberId member=
no timer g Session("b#22")

wait ms=4597
----
timer g Join at 248.175s

wait ms=3001
----
reply to 221: join None member=a#23 generation=17 type=consumer protocol=y leader=a#23
  member a#23 metadata=[t+u]
no timer g Join
timer g Session("a#23") at 254.643s
timer g Sync at 275.071s

sync as=226 member=a#23 generation=18 assignments=a#23:a#23
----
reply to 226: sync IllegalGeneration type=null protocol=null assignment=-

join as=227 member=a#23 protocols=y:t+u,x:t session=7200 rebalance=21441
----
reply to 227: join None member=a#23 generation=17 type=consumer protocol=y leader=a#23
  member a#23 metadata=[t+u]

join as=228 client=r instance=r protocols=x:u session=8960 rebalance=28907
----
no timer g Sync
timer g Session("r#24") at 549.773s
timer g Join at 278.68s

join as=229 member=r#24 instance=r protocols=z:t session=7172 rebalance=24590
----
reply to 229: join InconsistentGroupProtocol member=r#24

restart
----
no timer g Session("a#23")
no timer g Session("r#24")
no timer g Join

join as=231 client=s instance=s protocols=x:u session=6396 rebalance=28644
----
timer g Session("s#25") at 549.773s
timer g Join at 252.773s

join as=232 member=s#25 instance=s protocols=x:t,y:t session=9294 rebalance=17486
----
reply to 231: join RebalanceInProgress member=s#25

delete_offsets partitions=t-0,u-1
----
Ok([[None], [None]])
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 })
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 })

join as=234 member=x protocols=z:t session=7679 rebalance=9365
----
reply to 234: join InconsistentGroupProtocol member=x

sync as=235 member=s#25 instance=s generation=16 assignments=s#25:s#25
----
reply to 235: sync RebalanceInProgress type=null protocol=null assignment=-

sync as=236 member=x generation=15 assignments=s#25:s#25
----
reply to 236: sync UnknownMemberId type=null protocol=null assignment=-

heartbeat member=x
----
UnknownMemberId

join as=238 member=s#1 instance=s protocols=x:t,y:t session=7948 rebalance=24060
----
reply to 238: join FencedInstanceId member=s#1

join as=239 client=r instance=r protocols=x:u session=7594 rebalance=11906
----
timer g Session("r#26") at 549.773s

commit member=s#25 instance=s generation=17 offsets=t-0:240,u-1:2
----
Err(IllegalGeneration)

sync as=241 member=s#25 instance=s generation=16 assignments=r#26:r#26,s#25:s#25
----
reply to 241: sync RebalanceInProgress type=null protocol=null assignment=-

join as=242 member=r#26 instance=r protocols=x:t,y:t session=9597 rebalance=13884
----
reply to 239: join RebalanceInProgress member=r#26

sync as=243 member=s#25 instance=s generation=16 assignments=r#26:r#26,s#25:s#25
----
reply to 243: sync RebalanceInProgress type=null protocol=null assignment=-

join as=244 member=r#26 instance=r protocols=x:t,y:t session=7576 rebalance=26273
----
reply to 242: join RebalanceInProgress member=r#26

heartbeat member=s#25 instance=s generation=16
----
RebalanceInProgress
timer g Session("s#25") at 259.067s

sync as=246 member=r#26 instance=r generation=15 assignments=r#26:r#26,s#25:s#25
----
reply to 246: sync IllegalGeneration type=null protocol=null assignment=-

join as=247 member=x protocols=x:t,y:t session=6899 rebalance=23532
----
reply to 247: join UnknownMemberId member=x

sync as=248 member=r#26 instance=r generation=16 assignments=r#26:r#26,s#25:s#25
----
reply to 248: sync RebalanceInProgress type=null protocol=null assignment=-

join as=249 member=x protocols=x:t,y:t session=9552 rebalance=14384
----
reply to 249: join UnknownMemberId member=x
