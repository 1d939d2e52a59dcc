package loop

import (
	"context"
	"testing"
)

// TestGroupsOverTheWire goes through the rules of joining, leaving and sending.
func TestGroupsOverTheWire(t *testing.T) {
	e, addr := start(t, nil)
	a, b := open(t, addr), open(t, addr)
	publisher := open(t, addr)
	send := func(group, text string) {
		publisher.say(`{"cmd":"send_to_group","group_id":%s,"message":%q,"req_id":1}`, group, text)
		publisher.want(ackOf("1"))
	}

	a.join("123", "only a")
	b.say(`{"cmd":"add_group","group_id":123,"req_id":0}`)
	b.want(ackOf("0"))
	send("123", "by number")
	send(`"123"`, "by text")
	a.want("by number", "by text")
	b.want("by number", "by text")

	send(`"only a"`, "private")
	send(`"0123"`, "another group")
	send("-123", "another group")
	a.want("private")

	a.join("123", "123") // joining twice is joining once
	send("123", "once")
	a.want("once")
	b.want("once")
	if s := sum(t, e); s.Memberships != 3 {
		t.Errorf("%d memberships, want 3", s.Memberships)
	}

	a.say(`{"cmd":"leave_group","group_id":123,"req_id":2}`)
	a.want(ackOf("2"))
	a.say(`{"cmd":"leave_group","group_id":"never joined","req_id":3}`)
	a.want(ackOf("3"))
	send("123", "without a")
	b.want("without a")

	b.say(`{"cmd":"send_to_group","group_id":123,"message":"not me","exclude_self":true,"req_id":4}`)
	b.want(ackOf("4"))
	b.say(`{"cmd":"send_to_group","group_id":123,"message":"me too","exclude_self":false}`)
	b.want("me too")
	a.sync()
	b.sync()
	publisher.sync()
}

// TestExcludeSelfReachesOthers: on the sender's own loop and on the other one.
func TestExcludeSelfReachesOthers(t *testing.T) {
	_, addr := start(t, nil)
	members := []*wire{open(t, addr), open(t, addr), open(t, addr), open(t, addr)}
	for _, w := range members {
		w.join("g")
	}
	for i, w := range members {
		w.say(`{"cmd":"send_to_group","group_id":"g","message":"hi","exclude_self":true,"req_id":9}`)
		w.want(ackOf("9"))
		for j, other := range members {
			if i != j {
				other.want("hi")
			}
		}
	}
}

// TestSessionsAreSpread: each loop gets its share, whatever the listener.
func TestSessionsAreSpread(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.Loops = 4 })
	for range 40 {
		open(t, addr)
	}
	s, err := e.Stats(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range s.Reactors {
		if r.Sessions != 10 {
			t.Errorf("reactor %d has %d sessions, want 10", i, r.Sessions)
		}
	}
}

// TestSilentCommands: commands without req_id in one segment act
// in their order and are not answered.
func TestSilentCommands(t *testing.T) {
	_, addr := start(t, nil)
	w := open(t, addr)
	var segment []byte
	for _, command := range []string{
		`{"cmd":"add_group","group_id":"g"}`,
		`{"cmd":"send_to_group","group_id":"g","message":"one"}`,
		`{"cmd":"leave_group","group_id":"no"}`,
		`{"cmd":"send_to_group","group_id":"g","message":"two"}`,
	} {
		segment = append(segment, textFrame(command)...)
	}
	w.write(segment)
	w.want("one", "two")
	w.sync()
}
