# Written by src/coordinator/classic/random.rs
wait ms=3001
----

join as=1 client=b protocols=y:t+u,x:t session=9813 rebalance=27537
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1003001
reply to 1: join MemberIdRequired member=b#1
timer g Session("b#1") at 12.814s

join as=2 client=r instance=r protocols=x:t,y:t session=9172 rebalance=24432
----
timer g Session("r#2") at 303.001s
timer g Join at 6.001s

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=2 protocol=null leader=null since=1015173
reply to 2: join None member=r#2 generation=1 type=consumer protocol=x leader=r#2
  member r#2 instance=r metadata=[t]
no timer g Session("b#1")
no timer g Session("r#2")
no timer g Join

wait ms=3001
----

join as=5 client=r instance=r protocols=y:t+u,x:t session=6900 rebalance=21054
----
timer g Session("r#3") at 336.013s
timer g Join at 39.013s

join as=6 client=b protocols=x:t,y:t session=7204 rebalance=20920
----
reply to 6: join MemberIdRequired member=b#4
timer g Session("b#4") at 43.217s

commit offsets=t-0:1
----
Err(UnknownMemberId)

join as=8 member=b#4 protocols=y:t+u,x:t session=6055 rebalance=20458
----
timer g Session("b#4") at 336.013s

sync as=9 member=b#4 generation=2 assignments=b#4:b#4,r#3:r#3
----
reply to 9: sync RebalanceInProgress type=null protocol=null assignment=-

heartbeat member=x
----
UnknownMemberId

wait ms=3001
----
timer g Join at 42.013s

join as=12 member=b#4 protocols=z:t session=7214 rebalance=26697
----
reply to 12: join InconsistentGroupProtocol member=b#4

join as=13 member=r#3 instance=r protocols=z:t session=7312 rebalance=24466
----
reply to 13: join InconsistentGroupProtocol member=r#3

join as=14 member=b#4 protocols=x:t,y:t session=8902 rebalance=15770
----
reply to 8: join RebalanceInProgress member=b#4

leave members=/s
----
Ok([UnknownMemberId])

delete group=g
----
Err(NonEmptyGroup)

join as=17 member=b#4 protocols=z:t session=9854 rebalance=17916
----
reply to 17: join InconsistentGroupProtocol member=b#4

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=4 protocol=null leader=null since=1050915
reply to 14: join None member=b#4 generation=3 type=consumer protocol=x leader=r#3
reply to 5: join None member=r#3 generation=3 type=consumer protocol=x leader=r#3
  member b#4 metadata=[t]
  member r#3 instance=r metadata=[t]
no timer g Session("b#4")
no timer g Session("r#3")
no timer g Join

join as=19 client=b protocols=y:t+u,x:t session=9311 rebalance=15569
----
reply to 19: join MemberIdRequired member=b#5
timer g Session("b#5") at 78.336s

wait ms=6553
----

fetch
----

join as=22 member=b#5 protocols=x:t,y:t session=7649 rebalance=28229
----
timer g Session("b#5") at 375.578s
timer g Join at 78.578s

join as=23 client=r instance=r protocols=y:t+u,x:t session=9657 rebalance=19038
----
timer g Session("r#6") at 375.578s

join as=24 member=b#5 protocols=z:t session=8154 rebalance=25866
----
reply to 24: join InconsistentGroupProtocol member=b#5

join as=25 member=b#5 protocols=y:t+u,x:t session=8226 rebalance=25504
----
reply to 22: join RebalanceInProgress member=b#5

join as=26 member=r#6 instance=r protocols=x:t,y:t session=7697 rebalance=9550
----
reply to 23: join RebalanceInProgress member=r#6

join as=27 member=b#5 protocols=x:t,y:t session=9179 rebalance=25018
----
reply to 25: join RebalanceInProgress member=b#5

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=6 protocol=null leader=null since=1090757
reply to 27: join None member=b#5 generation=5 type=consumer protocol=x leader=b#5
  member b#5 metadata=[t]
  member r#6 instance=r metadata=[t]
reply to 26: join None member=r#6 generation=5 type=consumer protocol=x leader=b#5
no timer g Session("b#5")
no timer g Session("r#6")
no timer g Join

leave members=x
----
Ok([UnknownMemberId])

sync as=30 member=x generation=6 assignments=
----
reply to 30: sync UnknownMemberId type=null protocol=null assignment=-

commit member=x generation=6 offsets=t-0:31,u-1:2
----
Err(UnknownMemberId)

join as=32 member=s#1 instance=s protocols=z:t session=6861 rebalance=23287
----
reply to 32: join UnknownMemberId member=s#1

commit member=x generation=6 offsets=t-0:33,u-1:2
----
Err(UnknownMemberId)

leave members=s#1/s
----
Ok([UnknownMemberId])

heartbeat member=x
----
UnknownMemberId

heartbeat member=x
----
UnknownMemberId

expire
----
tombstone GroupMetadata(GroupMetadataKey { group: "g" })

join as=38 client=a v=3 protocols=y:t+u,x:t session=7646 rebalance=26504
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1105589
timer g Session("a#7") at 405.589s
timer g Join at 108.589s

sync as=39 member=a#7 generation=0 assignments=a#7:a#7
----
reply to 39: sync RebalanceInProgress type=null protocol=null assignment=-

heartbeat member=a#7 generation=-1
----
IllegalGeneration

sync as=41 member=a#7 generation=0 assignments=a#7:a#7
----
reply to 41: sync RebalanceInProgress type=null protocol=null assignment=-

join as=42 member=a#7 protocols=x:t,y:t session=7149 rebalance=25213
----
reply to 38: join RebalanceInProgress member=a#7

commit member=a#7 generation=0 offsets=t-0:43,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=43 leader_epoch=-1 metadata="" committed=1105589 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1105589 expires=-1
timer g Session("a#7") at 112.738s

sync as=44 member=s#1 instance=s generation=0 assignments=a#7:a#7
----
reply to 44: sync UnknownMemberId type=null protocol=null assignment=-

commit member=a#7 generation=0 offsets=t-0:45,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=45 leader_epoch=-1 metadata="" committed=1105589 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1105589 expires=-1

join as=46 client=a v=3 protocols=x:t,y:t session=9486 rebalance=25892
----
timer g Session("a#8") at 405.589s

join as=47 member=x protocols=x:t,y:t session=8907 rebalance=28158
----
reply to 47: join UnknownMemberId member=x

join as=48 member=a#8 protocols=x:t,y:t session=8551 rebalance=13843
----
reply to 46: join RebalanceInProgress member=a#8

join as=49 member=a#7 protocols=x:t,y:t session=8500 rebalance=20260
----
reply to 42: join RebalanceInProgress member=a#7

heartbeat member=x
----
UnknownMemberId

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "PreparingRebalance", group_type: "classic" }

join as=52 member=a#7 protocols=y:t+u,x:t session=7258 rebalance=21423
----
reply to 49: join RebalanceInProgress member=a#7

wait ms=6804
----
reply to 52: join None member=a#7 generation=1 type=consumer protocol=x leader=a#7
  member a#7 metadata=[t]
  member a#8 metadata=[t]
reply to 48: join None member=a#8 generation=1 type=consumer protocol=x leader=a#7
no timer g Join
timer g Session("a#7") at 118.847s
timer g Session("a#8") at 120.14s
timer g Sync at 133.012s

heartbeat member=x generation=2
----
UnknownMemberId

heartbeat member=x generation=1
----
UnknownMemberId

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=2 protocol=null leader=null since=1120140
no timer g Session("a#7")
no timer g Session("a#8")
no timer g Sync

commit offsets=t-0:1
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=1 leader_epoch=-1 metadata="" committed=1142404 expires=-1

join as=58 member=x protocols=x:t,y:t session=7183 rebalance=16810
----
reply to 58: join UnknownMemberId member=x

heartbeat member=s#1 instance=s generation=3
----
UnknownMemberId

sync as=60 member=s#1 instance=s generation=2 assignments=
----
reply to 60: sync UnknownMemberId type=null protocol=null assignment=-

join as=61 member=s#1 instance=s protocols=x:u session=9128 rebalance=13841
----
reply to 61: join UnknownMemberId member=s#1

commit member=x generation=2 offsets=t-0:62,u-1:2
----
Err(UnknownMemberId)

delete group=g
----
Ok(())
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 })
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 })
tombstone GroupMetadata(GroupMetadataKey { group: "g" })

commit member=x generation=1 offsets=t-0:64,u-1:2
----
Err(GroupIdNotFound)

commit member=s#1 instance=s generation=0 offsets=t-0:65,u-1:2
----
Err(GroupIdNotFound)

join as=66 member=s#1 instance=s protocols=z:t session=6046 rebalance=20544
----
reply to 66: join UnknownMemberId member=s#1

leave members=/s
----
Ok([UnknownMemberId])

join as=68 member=s#1 instance=s protocols=y:t+u,x:t session=7068 rebalance=9453
----
reply to 68: join UnknownMemberId member=s#1

join as=69 client=b protocols=z:t session=8801 rebalance=18305
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1142404
reply to 69: join MemberIdRequired member=b#9
timer g Session("b#9") at 151.205s

wait ms=30011
----
no timer g Session("b#9")

wait ms=3757
----

join as=72 client=s instance=s protocols=x:t,y:t session=9864 rebalance=28733
----
timer g Session("s#10") at 476.172s
timer g Join at 179.172s

join as=73 client=b protocols=z:t session=6432 rebalance=18717
----
reply to 73: join InconsistentGroupProtocol member=

sync as=74 member=s#10 instance=s generation=-1 assignments=s#10:s#10
----
reply to 74: sync IllegalGeneration type=null protocol=null assignment=-

join as=75 client=s instance=s protocols=x:t,y:t session=8925 rebalance=23723
----
reply to 72: join FencedInstanceId member=s#10
no timer g Session("s#10")
timer g Session("s#11") at 186.036s

join as=76 member=s#11 instance=s protocols=x:t,y:t session=7450 rebalance=23229
----
reply to 75: join RebalanceInProgress member=s#11

sync as=77 member=s#11 instance=s generation=0 assignments=s#11:s#11
----
reply to 77: sync RebalanceInProgress type=null protocol=null assignment=-

join as=78 member=s#11 instance=s protocols=x:u session=9678 rebalance=12484
----
reply to 76: join RebalanceInProgress member=s#11

join as=79 member=s#11 instance=s protocols=x:t,y:t session=9258 rebalance=17072
----
reply to 78: join RebalanceInProgress member=s#11

join as=80 client=r instance=r protocols=x:t,y:t session=9782 rebalance=18302
----
timer g Session("r#12") at 476.172s

commit member=s#11 instance=s generation=-1 offsets=t-0:81,u-1:2
----
Err(IllegalGeneration)

heartbeat member=r#12 instance=r generation=0
----
RebalanceInProgress
timer g Session("r#12") at 185.954s

join as=83 member=x protocols=x:t,y:t session=9139 rebalance=20667
----
reply to 83: join UnknownMemberId member=x

sync as=84 member=s#11 instance=s generation=-1 assignments=r#12:r#12,s#11:s#11
----
reply to 84: sync IllegalGeneration type=null protocol=null assignment=-

commit member=s#11 instance=s generation=0 offsets=t-0:85,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=85 leader_epoch=-1 metadata="" committed=1176172 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1176172 expires=-1
timer g Session("s#11") at 185.43s

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=2 protocol=null leader=null since=1191954
reply to 80: join None member=r#12 generation=1 type=consumer protocol=x leader=s#11
reply to 79: join None member=s#11 generation=1 type=consumer protocol=x leader=s#11
  member r#12 instance=r metadata=[t]
  member s#11 instance=s metadata=[t]
no timer g Session("r#12")
no timer g Session("s#11")
no timer g Join

join as=87 member=x protocols=z:t session=7314 rebalance=10292
----
reply to 87: join UnknownMemberId member=x

sync as=88 member=s#1 instance=s generation=2 assignments=
----
reply to 88: sync UnknownMemberId type=null protocol=null assignment=-

join as=89 client=s instance=s protocols=z:t session=8925 rebalance=26535
----
timer g Session("s#13") at 506.183s
timer g Join at 209.183s

heartbeat member=s#1 instance=s generation=2
----
FencedInstanceId

heartbeat member=s#13 instance=s generation=2
----
RebalanceInProgress
timer g Session("s#13") at 215.108s

sync as=92 member=s#1 instance=s generation=1 assignments=s#13:s#13
----
reply to 92: sync FencedInstanceId type=null protocol=null assignment=-

join as=93 client=a v=3 protocols=x:t,y:t session=8439 rebalance=20944
----
reply to 93: join InconsistentGroupProtocol member=

leave members=s#13/s
----
Ok([None])
reply to 89: join UnknownMemberId member=
no timer g Session("s#13")

wait ms=7518
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=3 protocol=null leader=null since=1209183
no timer g Join

join as=96 client=b protocols=x:t,y:t session=8901 rebalance=27353
----
reply to 96: join MemberIdRequired member=b#14
timer g Session("b#14") at 222.602s

wait ms=171
----

wait ms=8805
----
no timer g Session("b#14")

join as=99 client=s instance=s protocols=x:t,y:t session=8501 rebalance=23543
----
timer g Session("s#15") at 522.677s
timer g Join at 225.677s

join as=100 client=a v=3 protocols=x:u session=7496 rebalance=23584
----
timer g Session("a#16") at 522.677s

join as=101 member=a#16 protocols=y:t+u,x:t session=7830 rebalance=27020
----
reply to 100: join RebalanceInProgress member=a#16

leave members=s#15/s
----
Ok([None])
reply to 99: join UnknownMemberId member=
no timer g Session("s#15")

sync as=103 member=a#16 generation=2 assignments=a#16:a#16
----
reply to 103: sync IllegalGeneration type=null protocol=null assignment=-

wait ms=3040
----
timer g Join at 228.677s

commit member=a#16 generation=3 offsets=t-0:105,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=105 leader_epoch=-1 metadata="" committed=1225717 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1225717 expires=-1
timer g Session("a#16") at 233.547s

leave members=a#16
----
Ok([None])
reply to 101: join UnknownMemberId member=
no timer g Session("a#16")

join as=107 member=s#1 instance=s protocols=y:t+u,x:t session=9744 rebalance=15036
----
reply to 107: join UnknownMemberId member=s#1

fetch
----
t-0 offset=105 leader_epoch=-1 metadata=""
u-1 offset=2 leader_epoch=-1 metadata=""

join as=109 client=s instance=s protocols=z:t session=8622 rebalance=21797
----
timer g Session("s#17") at 525.717s

wait ms=5009
----
timer g Join at 231.677s

sync as=111 member=s#17 instance=s generation=3 assignments=s#17:s#17
----
reply to 111: sync RebalanceInProgress type=null protocol=null assignment=-

sync as=112 member=s#1 instance=s generation=4 assignments=s#17:s#17
----
reply to 112: sync FencedInstanceId type=null protocol=null assignment=-

join as=113 member=s#1 instance=s protocols=y:t+u,x:t session=8329 rebalance=19437
----
reply to 113: join InconsistentGroupProtocol member=s#1

sync as=114 member=s#17 instance=s generation=3 assignments=s#17:s#17
----
reply to 114: sync RebalanceInProgress type=null protocol=null assignment=-

heartbeat member=x generation=2
----
UnknownMemberId

join as=116 client=a v=3 protocols=y:t+u,x:t session=7873 rebalance=26769
----
reply to 116: join InconsistentGroupProtocol member=

join as=117 client=s instance=s protocols=x:t,y:t session=6549 rebalance=23248
----
reply to 117: join InconsistentGroupProtocol member=

sync as=118 member=x generation=3 assignments=s#17:s#17
----
reply to 118: sync UnknownMemberId type=null protocol=null assignment=-

join as=119 client=s instance=s protocols=y:t+u,x:t session=8190 rebalance=19888
----
reply to 119: join InconsistentGroupProtocol member=

wait ms=154
----

sync as=121 member=s#1 instance=s generation=3 assignments=s#17:s#17
----
reply to 121: sync FencedInstanceId type=null protocol=null assignment=-

commit member=s#1 instance=s generation=3 offsets=t-0:122,u-1:2
----
Err(FencedInstanceId)

join as=123 member=x protocols=x:t,y:t session=6056 rebalance=21024
----
reply to 123: join InconsistentGroupProtocol member=x

wait ms=3788
----
reply to 109: join None member=s#17 generation=4 type=consumer protocol=z leader=s#17
  member s#17 instance=s metadata=[t]
no timer g Join
timer g Session("s#17") at 240.299s
timer g Sync at 253.474s

sync as=125 member=s#17 instance=s generation=4 assignments=s#17:s#17
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=4 protocol=z leader=s#17 since=1231677
  member s#17 instance=s client=s host=/127.0.0.1 rebalance=21797 session=8622 metadata=[t] assignment=s#17
reply to 125: sync None type=consumer protocol=z assignment=s#17
no timer g Sync
timer g Session("s#17") at 243.29s

sync as=126 member=s#17 instance=s generation=4 assignments=s#17:s#17
----
reply to 126: sync None type=consumer protocol=z assignment=s#17

leave members=s#17/s
----
Ok([None])
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=5 protocol=null leader=null since=1234668
no timer g Session("s#17")

join as=128 member=s#1 instance=s protocols=x:u session=7532 rebalance=27573
----
reply to 128: join UnknownMemberId member=s#1

join as=129 member=x protocols=x:t,y:t session=6233 rebalance=10674
----
reply to 129: join UnknownMemberId member=x

join as=130 client=r instance=r protocols=x:t,y:t session=8787 rebalance=10131
----
timer g Session("r#18") at 534.668s
timer g Join at 237.668s

sync as=131 member=s#1 instance=s generation=5 assignments=r#18:r#18
----
reply to 131: sync UnknownMemberId type=null protocol=null assignment=-

join as=132 client=a v=3 protocols=z:t session=6920 rebalance=12587
----
reply to 132: join InconsistentGroupProtocol member=

commit member=r#18 instance=r generation=5 offsets=t-0:133,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=133 leader_epoch=-1 metadata="" committed=1234668 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1234668 expires=-1
timer g Session("r#18") at 243.455s

join as=134 member=r#18 instance=r protocols=x:t,y:t session=7760 rebalance=15063
----
reply to 130: join RebalanceInProgress member=r#18

heartbeat member=s#1 instance=s generation=5
----
UnknownMemberId

sync as=136 member=r#18 instance=r generation=5 assignments=r#18:r#18
----
reply to 136: sync RebalanceInProgress type=null protocol=null assignment=-

join as=137 client=r instance=r protocols=x:t,y:t session=9885 rebalance=26441
----
reply to 134: join FencedInstanceId member=r#18
no timer g Session("r#18")
timer g Session("r#19") at 242.428s

leave members=r#19/r
----
Ok([None])
reply to 137: join UnknownMemberId member=
no timer g Session("r#19")

join as=139 member=x protocols=x:t,y:t session=8218 rebalance=12102
----
reply to 139: join UnknownMemberId member=x

wait ms=3243
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=6 protocol=null leader=null since=1237668
no timer g Join

join as=141 client=b protocols=x:t,y:t session=9022 rebalance=21232
----
reply to 141: join MemberIdRequired member=b#20
timer g Session("b#20") at 246.933s

join as=142 client=s instance=s protocols=x:t,y:t session=6533 rebalance=22940
----
timer g Session("s#21") at 537.911s
timer g Join at 240.911s

sync as=143 member=b#20 generation=6 assignments=s#21:s#21
----
reply to 143: sync UnknownMemberId type=null protocol=null assignment=-

wait ms=756
----

wait ms=3001
----
reply to 142: join None member=s#21 generation=7 type=consumer protocol=x leader=s#21
  member s#21 instance=s metadata=[t]
no timer g Join
timer g Session("s#21") at 247.444s
timer g Sync at 263.851s

sync as=146 member=b#20 generation=7 assignments=s#21:s#21
----
reply to 146: sync UnknownMemberId type=null protocol=null assignment=-

heartbeat member=x
----
UnknownMemberId

wait ms=3001
----

leave members=/s
----
Ok([None])
no timer g Session("s#21")
no timer g Sync
timer g Join at 244.669s

join as=150 client=b protocols=z:t session=9638 rebalance=21784
----
reply to 150: join MemberIdRequired member=b#22
timer g Session("b#22") at 254.307s

commit member=b#22 generation=7 offsets=t-0:151,u-1:2
----
Err(UnknownMemberId)

sync as=152 member=b#20 generation=6 assignments=
----
reply to 152: sync UnknownMemberId type=null protocol=null assignment=-

fetch
----
t-0 offset=133 leader_epoch=-1 metadata=""
u-1 offset=2 leader_epoch=-1 metadata=""

wait ms=7315
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=8 protocol=null leader=null since=1244669
no timer g Session("b#20")
no timer g Join

join as=155 client=a v=3 protocols=x:t,y:t session=7381 rebalance=13508
----
timer g Session("a#23") at 551.984s
timer g Join at 254.984s

heartbeat member=x
----
UnknownMemberId

join as=157 member=a#23 protocols=y:t+u,x:t session=7649 rebalance=18034
----
reply to 155: join RebalanceInProgress member=a#23

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=10 protocol=null leader=null since=1261956
reply to 157: join None member=a#23 generation=9 type=consumer protocol=y leader=a#23
  member a#23 metadata=[t+u]
no timer g Session("a#23")
no timer g Session("b#22")
no timer g Join

heartbeat member=s#1 instance=s generation=10
----
UnknownMemberId

sync as=160 member=s#1 instance=s generation=10 assignments=
----
reply to 160: sync UnknownMemberId type=null protocol=null assignment=-

expire
----

sync as=162 member=x generation=10 assignments=
----
reply to 162: sync UnknownMemberId type=null protocol=null assignment=-

sync as=163 member=s#1 instance=s generation=10 assignments=
----
reply to 163: sync UnknownMemberId type=null protocol=null assignment=-

heartbeat member=s#1 instance=s generation=10
----
UnknownMemberId

expire
----

join as=166 client=s instance=s protocols=y:t+u,x:t session=8745 rebalance=27627
----
timer g Session("s#24") at 581.995s
timer g Join at 284.995s

sync as=167 member=s#1 instance=s generation=10 assignments=s#24:s#24
----
reply to 167: sync FencedInstanceId type=null protocol=null assignment=-

join as=168 member=s#24 instance=s protocols=x:t,y:t session=7305 rebalance=24227
----
reply to 166: join RebalanceInProgress member=s#24

describe
----
PreparingRebalance type="consumer" protocol=""
  member s#24 instance=s client=s host=/127.0.0.1 metadata=- assignment=-

join as=170 member=s#24 instance=s protocols=x:t,y:t session=7835 rebalance=13609
----
reply to 168: join RebalanceInProgress member=s#24

join as=171 client=b protocols=z:t session=7616 rebalance=9825
----
reply to 171: join InconsistentGroupProtocol member=

join as=172 client=r instance=r protocols=x:t,y:t session=6465 rebalance=25017
----
timer g Session("r#25") at 581.995s

wait ms=3001
----
timer g Join at 287.995s

wait ms=3001
----
reply to 172: join None member=r#25 generation=11 type=consumer protocol=x leader=s#24
reply to 170: join None member=s#24 generation=11 type=consumer protocol=x leader=s#24
  member r#25 instance=r metadata=[t]
  member s#24 instance=s metadata=[t]
no timer g Join
timer g Session("r#25") at 294.46s
timer g Session("s#24") at 295.83s
timer g Sync at 313.012s

heartbeat member=s#24 instance=s generation=11
----
None
timer g Session("s#24") at 295.832s

join as=176 member=s#24 instance=s protocols=x:t,y:t session=9829 rebalance=15097
----
reply to 176: join None member=s#24 generation=11 type=consumer protocol=x leader=s#24
  member r#25 instance=r metadata=[t]
  member s#24 instance=s metadata=[t]

join as=177 member=s#24 instance=s protocols=y:t+u,x:t session=8731 rebalance=15674
----
no timer g Sync
timer g Join at 313.014s

delete group=g
----
Err(NonEmptyGroup)

sync as=179 member=r#25 instance=r generation=11 assignments=r#25:r#25,s#24:s#24
----
reply to 179: sync RebalanceInProgress type=null protocol=null assignment=-

sync as=180 member=s#24 instance=s generation=11 assignments=r#25:r#25,s#24:s#24
----
reply to 180: sync RebalanceInProgress type=null protocol=null assignment=-

wait ms=3001
----

join as=182 client=s instance=s protocols=z:t v=8 session=8188 rebalance=11614
----
reply to 182: join InconsistentGroupProtocol member=

join as=183 member=r#25 instance=r protocols=z:t session=9050 rebalance=16331
----
reply to 183: join InconsistentGroupProtocol member=r#25

wait ms=7284
----
reply to 177: join None member=s#24 generation=12 type=consumer protocol=y leader=s#24
  member s#24 instance=s metadata=[t+u]
no timer g Session("r#25")
no timer g Join
timer g Session("s#24") at 303.191s
timer g Sync at 310.134s

delete_offsets partitions=t-0,u-1
----
Ok([[GroupSubscribedToTopic], [GroupSubscribedToTopic]])

sync as=186 member=s#24 instance=s generation=12 assignments=s#24:s#24
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=12 protocol=y leader=s#24 since=1294460
  member s#24 instance=s client=s host=/127.0.0.1 rebalance=15674 session=8731 metadata=[t+u] assignment=s#24
reply to 186: sync None type=consumer protocol=y assignment=s#24
no timer g Sync
timer g Session("s#24") at 307.013s

join as=187 client=r instance=r protocols=x:u session=6751 rebalance=23678
----
timer g Session("r#26") at 598.282s
timer g Join at 321.96s

join as=188 member=s#24 instance=s protocols=z:t session=8306 rebalance=13109
----
reply to 188: join InconsistentGroupProtocol member=s#24

commit member=s#24 instance=s generation=12 offsets=t-0:189,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=189 leader_epoch=-1 metadata="" committed=1298282 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1298282 expires=-1

wait ms=3001
----

join as=191 member=r#26 instance=r protocols=x:t,y:t session=6763 rebalance=11820
----
reply to 187: join RebalanceInProgress member=r#26

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "PreparingRebalance", group_type: "classic" }

join as=193 member=s#24 instance=s protocols=x:t,y:t session=9677 rebalance=9562
----
reply to 191: join None member=r#26 generation=13 type=consumer protocol=x leader=s#24
reply to 193: join None member=s#24 generation=13 type=consumer protocol=x leader=s#24
  member r#26 instance=r metadata=[t]
  member s#24 instance=s metadata=[t]
no timer g Join
timer g Session("r#26") at 308.046s
timer g Session("s#24") at 310.96s
timer g Sync at 313.103s

join as=194 member=r#26 instance=r protocols=x:t,y:t session=6207 rebalance=20191
----
reply to 194: join None member=r#26 generation=13 type=consumer protocol=x leader=s#24

heartbeat member=s#1 instance=s generation=13
----
FencedInstanceId

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=14 protocol=null leader=null since=1310960
no timer g Session("r#26")
no timer g Session("s#24")
no timer g Sync

delete group=g
----
Ok(())
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 })
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 })
tombstone GroupMetadata(GroupMetadataKey { group: "g" })

sync as=198 member=x generation=-1 assignments=
----
reply to 198: sync UnknownMemberId type=null protocol=null assignment=-

join as=199 member=s#1 instance=s protocols=x:t,y:t session=8601 rebalance=10637
----
reply to 199: join UnknownMemberId member=s#1

join as=200 client=r instance=r protocols=x:t,y:t session=7643 rebalance=25444
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="" generation=0 protocol=null leader=null since=1331294
timer g Session("r#27") at 631.294s
timer g Join at 334.294s

sync as=201 member=x generation=-1 assignments=r#27:r#27
----
reply to 201: sync UnknownMemberId type=null protocol=null assignment=-

wait ms=2992
----

list
----
Listed { group_id: "g", protocol_type: "consumer", state: "PreparingRebalance", group_type: "classic" }

heartbeat member=x generation=0
----
UnknownMemberId

commit offsets=t-0:1
----
Err(UnknownMemberId)

sync as=206 member=s#1 instance=s generation=0 assignments=r#27:r#27
----
reply to 206: sync UnknownMemberId type=null protocol=null assignment=-

join as=207 client=a v=3 protocols=x:t,y:t session=8933 rebalance=26212
----
timer g Session("a#28") at 634.286s

sync as=208 member=r#27 instance=r generation=0 assignments=a#28:a#28,r#27:r#27
----
reply to 208: sync RebalanceInProgress type=null protocol=null assignment=-

join as=209 member=a#28 protocols=x:t,y:t session=7447 rebalance=18906
----
reply to 207: join RebalanceInProgress member=a#28

delete_offsets partitions=t-0,u-1
----
Ok([[GroupSubscribedToTopic], [GroupSubscribedToTopic]])

commit member=a#28 generation=-1 offsets=t-0:211,u-1:2
----
Err(IllegalGeneration)

leave members=/s
----
Ok([UnknownMemberId])

wait ms=30011
----
record GroupMetadata(GroupMetadataKey { group: "g" }) v3 type="consumer" generation=2 protocol=null leader=null since=1344937
reply to 209: join None member=a#28 generation=1 type=consumer protocol=x leader=r#27
reply to 200: join None member=r#27 generation=1 type=consumer protocol=x leader=r#27
  member a#28 metadata=[t]
  member r#27 instance=r metadata=[t]
no timer g Session("a#28")
no timer g Session("r#27")
no timer g Join

leave members=x
----
Ok([UnknownMemberId])

wait ms=2163
----

commit member=s#1 instance=s generation=1 offsets=t-0:216,u-1:2
----
Err(UnknownMemberId)

commit offsets=t-0:1
----
Ok([[None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=1 leader_epoch=-1 metadata="" committed=1366460 expires=-1

commit member=x generation=2 offsets=t-0:218,u-1:2
----
Err(UnknownMemberId)

wait ms=81
----

restart
----

join as=221 client=s instance=s protocols=z:t session=8563 rebalance=11014
----
timer g Session("s#29") at 666.541s
timer g Join at 369.541s

sync as=222 member=x generation=2 assignments=s#29:s#29
----
reply to 222: sync UnknownMemberId type=null protocol=null assignment=-

commit offsets=t-0:1
----
Err(UnknownMemberId)

commit member=s#29 instance=s generation=2 offsets=t-0:224,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=224 leader_epoch=-1 metadata="" committed=1366541 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1366541 expires=-1
timer g Session("s#29") at 375.104s

join as=225 client=s instance=s protocols=y:t+u,x:t session=7862 rebalance=16842
----
reply to 225: join InconsistentGroupProtocol member=

join as=226 member=s#1 instance=s protocols=x:t,y:t session=7453 rebalance=25864
----
reply to 226: join InconsistentGroupProtocol member=s#1

restart
----
no timer g Session("s#29")
no timer g Join

heartbeat member=s#1 instance=s generation=1
----
UnknownMemberId

wait ms=4495
----

join as=230 client=r instance=r protocols=x:t,y:t session=6640 rebalance=21216
----
timer g Session("r#30") at 671.036s
timer g Join at 374.036s

join as=231 member=r#30 instance=r protocols=x:t,y:t session=6887 rebalance=22662
----
reply to 230: join RebalanceInProgress member=r#30

join as=232 client=r instance=r protocols=y:t+u,x:t session=7835 rebalance=22041
----
reply to 231: join FencedInstanceId member=r#30
no timer g Session("r#30")
timer g Session("r#31") at 377.923s

join as=233 member=r#31 instance=r protocols=y:t+u,x:t session=6563 rebalance=25232
----
reply to 232: join RebalanceInProgress member=r#31

join as=234 member=r#31 instance=r protocols=y:t+u,x:t session=8588 rebalance=11120
----
reply to 233: join RebalanceInProgress member=r#31

join as=235 member=r#31 instance=r protocols=x:t,y:t session=9721 rebalance=22337
----
reply to 234: join RebalanceInProgress member=r#31

commit member=r#31 instance=r generation=2 offsets=t-0:236,u-1:2
----
Ok([[None], [None]])
record OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 }) v4 offset=236 leader_epoch=-1 metadata="" committed=1371036 expires=-1
record OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 }) v4 offset=2 leader_epoch=-1 metadata="" committed=1371036 expires=-1
timer g Session("r#31") at 380.757s

heartbeat member=r#31 instance=r generation=2
----
RebalanceInProgress

join as=238 client=r instance=r protocols=x:u session=8290 rebalance=15795
----
reply to 235: join FencedInstanceId member=r#31
no timer g Session("r#31")
timer g Session("r#32") at 380.757s

join as=239 member=r#32 instance=r protocols=x:t,y:t session=9729 rebalance=19134
----
reply to 238: join RebalanceInProgress member=r#32

heartbeat member=r#32 instance=r generation=2
----
RebalanceInProgress
timer g Session("r#32") at 380.765s

join as=241 client=b protocols=x:t,y:t session=7929 rebalance=13038
----
reply to 241: join MemberIdRequired member=b#33
timer g Session("b#33") at 378.965s

commit member=b#33 generation=2 offsets=t-0:242,u-1:2
----
Err(UnknownMemberId)

sync as=243 member=r#32 instance=r generation=2 assignments=r#32:r#32
----
reply to 243: sync RebalanceInProgress type=null protocol=null assignment=-

join as=244 member=r#32 instance=r protocols=x:t,y:t session=6715 rebalance=13955
----
reply to 239: join RebalanceInProgress member=r#32

sync as=245 member=b#33 generation=1 assignments=r#32:r#32
----
reply to 245: sync UnknownMemberId type=null protocol=null assignment=-

join as=246 member=b#33 protocols=x:t,y:t session=6276 rebalance=18934
----
timer g Session("b#33") at 671.036s

wait ms=3001
----
timer g Join at 377.036s

delete_offsets partitions=t-0,u-1
----
Ok([[None], [None]])
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "t", partition: 0 })
tombstone OffsetCommit(OffsetCommitKey { group: "g", topic: "u", partition: 1 })

join as=249 member=b#33 protocols=z:t session=6334 rebalance=12790
----
reply to 249: join InconsistentGroupProtocol member=b#33
