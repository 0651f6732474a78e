package klammtest

import (
	"net/http"
	"time"
)

// ExpireMembers expires all members of a group: they hear of it as when their sessions had ended.
func (b *Broker) ExpireMembers(group string) {
	b.t.Helper()
	b.deed("expire_member", map[string]any{"group": group}, nil)
}

// ExpireMember expires a member of a group, by its id.
func (b *Broker) ExpireMember(group, memberID string) {
	b.t.Helper()
	b.deed("expire_member", map[string]any{"group": group, "member": memberID}, nil)
}

// ForceRebalance lets all members of a group join again.
func (b *Broker) ForceRebalance(group string) {
	b.t.Helper()
	b.deed("rebalance", map[string]any{"group": group}, nil)
}

// FenceProducer fences the producer of a transactional id by a successor; what it had open is aborted.
func (b *Broker) FenceProducer(transactionalID string) {
	b.t.Helper()
	b.deed("fence_producer", map[string]any{"transactional_id": transactionalID}, nil)
}

// Compact compacts the topics now, their active segments as well; without one, all topics that are compacted.
func (b *Broker) Compact(topics ...string) {
	b.t.Helper()
	b.deedOfTopics("compact", topics)
}

// ApplyRetention deletes now what the topics keep no longer; without one, what all do.
func (b *Broker) ApplyRetention(topics ...string) {
	b.t.Helper()
	b.deedOfTopics("retain", topics)
}

func (b *Broker) deedOfTopics(name string, topics []string) {
	b.t.Helper()
	if len(topics) == 0 {
		b.deed(name, map[string]any{}, nil)
	}
	for _, topic := range topics {
		b.deed(name, map[string]any{"topic": topic}, nil)
	}
}

// MoveLeader lets another broker lead a partition, by its id; a new leader epoch begins.
func (b *Broker) MoveLeader(topic string, partition, to int) {
	b.t.Helper()
	b.deed("move_leader", map[string]any{"topic": topic, "partition": partition, "to": to}, nil)
}

// MoveGroupCoordinator lets another broker coordinate a group, and all that share its partition.
func (b *Broker) MoveGroupCoordinator(group string, to int) {
	b.t.Helper()
	b.deed("move_coordinator", map[string]any{"group": group, "to": to}, nil)
}

// MoveTransactionCoordinator lets another broker coordinate a transactional id, and all that share its partition.
func (b *Broker) MoveTransactionCoordinator(transactionalID string, to int) {
	b.t.Helper()
	b.deed("move_coordinator", map[string]any{"transactional_id": transactionalID, "to": to}, nil)
}

// TakeBrokerDown takes a broker down by its id: its connections are closed, and others lead what it has led.
func (b *Broker) TakeBrokerDown(id int) {
	b.t.Helper()
	b.deed("broker_down", map[string]any{"broker": id}, nil)
}

// BringBrokerUp brings it back. It leads what has no leader; other leaders stay where they are.
func (b *Broker) BringBrokerUp(id int) {
	b.t.Helper()
	b.deed("broker_up", map[string]any{"broker": id}, nil)
}

// SetFollower lets the leader of a partition send consumers to a broker, which serves them, by its id.
func (b *Broker) SetFollower(topic string, partition, broker int) {
	b.t.Helper()
	b.deed("follower", map[string]any{"topic": topic, "partition": partition, "broker": broker}, nil)
}

// SetLaggingFollower is the same of a follower that has the log's records from start on and below end only.
func (b *Broker) SetLaggingFollower(topic string, partition, broker int, start, end int64) {
	b.t.Helper()
	of := map[string]any{"topic": topic, "partition": partition, "broker": broker, "start": start, "end": end}
	b.deed("follower", of, nil)
}

// UnsetFollower ends what SetFollower has begun.
func (b *Broker) UnsetFollower(topic string, partition int) {
	b.t.Helper()
	b.deed("follower", map[string]any{"topic": topic, "partition": partition, "broker": nil}, nil)
}

// SetRack puts a broker into a rack; an empty one is none.
func (b *Broker) SetRack(id int, rack string) {
	b.t.Helper()
	var of any
	if rack != "" {
		of = rack
	}
	b.deed("rack", map[string]any{"broker": id, "rack": of}, nil)
}

// HideBroker takes a broker out of the lists that clients are told, or puts it back; its connections stay.
func (b *Broker) HideBroker(id int, hidden bool) {
	b.t.Helper()
	b.deed("hide", map[string]any{"broker": id, "hidden": hidden}, nil)
}

// TellLeader tells clients this leader of a partition and its epoch, whether there are such or not.
func (b *Broker) TellLeader(topic string, partition, leader, epoch int) {
	b.t.Helper()
	b.deed("told_leader", map[string]any{"topic": topic, "partition": partition, "leader": leader, "epoch": epoch}, nil)
}

// TellTrueLeader ends what TellLeader has begun.
func (b *Broker) TellTrueLeader(topic string, partition int) {
	b.t.Helper()
	b.deed("told_leader", map[string]any{"topic": topic, "partition": partition}, nil)
}

// SetAddress tells clients another host and port of a broker; an empty host is its own.
func (b *Broker) SetAddress(id int, host string, port int) {
	b.t.Helper()
	of := map[string]any{"broker": id}
	if host != "" {
		of["host"], of["port"] = host, port
	}
	b.deed("address", of, nil)
}

// SetDiskFull fills the disk, or makes room again: while it is full, no log of records grows. A reset makes room, too.
func (b *Broker) SetDiskFull(full bool) {
	b.t.Helper()
	b.deed("disk", map[string]any{"full": full}, nil)
}

// SetDiskSyncTime is how long each sync takes, until a reset.
func (b *Broker) SetDiskSyncTime(duration time.Duration) {
	b.t.Helper()
	b.deed("disk", map[string]any{"sync_ms": duration.Milliseconds()}, nil)
}

// SetDiskSyncsFail lets the next sync find that the device has failed: the broker ends as Kafka does.
func (b *Broker) SetDiskSyncsFail(fail bool) {
	b.t.Helper()
	b.deed("disk", map[string]any{"syncs_fail": fail}, nil)
}

// CorruptBatch breaks the stored batch that has this offset: its checksum is wrong. It returns the batch's first offset.
func (b *Broker) CorruptBatch(topic string, partition int, offset int64) int64 {
	b.t.Helper()
	var found struct {
		BaseOffset int64 `json:"base_offset"`
	}
	b.deed("corrupt", map[string]any{"topic": topic, "partition": partition, "offset": offset}, &found)
	return found.BaseOffset
}

func (b *Broker) deed(name string, of map[string]any, found any) {
	b.t.Helper()
	b.must(b.control.ask(http.MethodPost, "/v1/deeds", nil, map[string]any{name: of}, found))
}
