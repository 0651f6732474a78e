package klammtest

import "net/http"

// ExpireMembers expires all members of a group: they hear of it as when their sessions had ended.
func (b *Broker) ExpireMembers(group string) {
	b.helper()
	b.deed("expire_member", map[string]string{"group": group})
}

// ExpireMember expires a member of a group, by its id.
func (b *Broker) ExpireMember(group, memberID string) {
	b.helper()
	b.deed("expire_member", map[string]string{"group": group, "member": memberID})
}

// ForceRebalance lets all members of a group join again.
func (b *Broker) ForceRebalance(group string) {
	b.helper()
	b.deed("rebalance", map[string]string{"group": group})
}

// FenceProducer fences the producer of a transactional id by a successor; what it had open is aborted.
func (b *Broker) FenceProducer(transactionalID string) {
	b.helper()
	b.deed("fence_producer", map[string]string{"transactional_id": transactionalID})
}

func (b *Broker) deed(name string, of map[string]string) {
	b.helper()
	b.must(b.control.ask(http.MethodPost, "/v1/deeds", nil, map[string]any{name: of}, nil))
}
