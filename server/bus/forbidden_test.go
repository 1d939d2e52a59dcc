package bus

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// TestForbiddenGroup: where NATS does not let the node have a group's messages, the ack of a join says so, each time;
// other groups are as ever.
func TestForbiddenGroup(t *testing.T) {
	t.Parallel()
	s := runServer(t, func(o *server.Options) {
		o.Users = []*server.User{{
			Username: "u", Password: "p", Permissions: &server.Permissions{
				Subscribe: &server.SubjectPermission{Deny: []string{"groupcast.g.secret.>", "groupcast.g.secret"}},
			},
		}}
	})
	n := startNode(t, "a", nil, func(o *Options) {
		o.Servers, o.JoinWait = []string{"nats://u:p@" + addressOf(s)}, 200*time.Millisecond
	})
	n.joinedBy(t, 0)
	c := dialNode(t, n)
	for i := range 20 {
		c.send(map[string]any{"cmd": "add_group", "group_id": "secret", "req_id": 3})
		c.want(`{"cmd":"ack","req_id":3,"cluster":false}`)
		c.join(fmt.Sprint("open", i))
		c.leave("secret")
	}
	found := false
	for reason, count := range n.Stats().Errors.All() {
		found = found || reason == string(ReasonPermission) && count > 0
	}
	if !found {
		t.Error("it is not counted")
	}
	n.publish(t, "open1", "x")
	c.want("x")
}

// TestManyForbidden: with more forbidden groups than are remembered none is covered; another connection begins anew.
func TestManyForbidden(t *testing.T) {
	var f forbidden
	n := startNode(t, "a", one(runServer(t)))
	s := n.subjects
	f.note(&s, violation{"subscribe", "groupcast.g.a%2Eb"}, "said")
	f.note(&s, violation{"publish", "groupcast.g.open"}, "said too")
	if got := f.allowed([]string{"a", "a.b", "open"}); fmt.Sprint(got) != "[a open]" || !f.has("said too") {
		t.Errorf("allowed are %q", got)
	}
	for i := range maxForbidden {
		f.note(&s, violation{"subscribe", fmt.Sprint("groupcast.g.", i)}, "")
	}
	if got := f.allowed([]string{"a"}); got != nil {
		t.Errorf("allowed are %q", got)
	}
	f.forget()
	if got := f.allowed([]string{"0"}); len(got) != 1 {
		t.Errorf("allowed are %q", got)
	}
	f.note(&s, violation{"subscribe", "groupcast.g.*"}, "")
	if got := f.allowed([]string{"a"}); got != nil {
		t.Errorf("allowed are %q", got)
	}
}
