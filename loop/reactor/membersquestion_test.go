package reactor

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"groupcast/loop/pattern"
	"groupcast/protocol"
)

// tells makes grants of which groups one may be told the members.
func tells(t *testing.T, patterns ...string) *Grants {
	t.Helper()
	set, err := pattern.Parse(patterns, "")
	if err != nil {
		t.Fatal(err)
	}
	return &Grants{Members: set}
}

// TestMembersCommand: a question goes elsewhere, with all that it says and none of the payload's
// bytes, where it is granted; else it is refused at once, as where there is nobody to ask or no room.
func TestMembersCommand(t *testing.T) {
	var asked []MembersRequest
	room := true
	e := startSim(t, func(o *Options) {
		o.ListMembers = func(q MembersRequest) bool {
			asked = append(asked, q)
			return room
		}
	})
	r := e.reactors[0]
	onLoop(t, r, func() {
		written := r.record(0)
		for _, mode := range []protocol.Mode{protocol.ModeBare, protocol.ModeEnvelope} {
			s := r.simulate(1, mode)[0]
			s.proxied()
			say := func(text string) string {
				asked, written[s.fd] = nil, nil
				payload := []byte(text)
				r.execCommand(s, payload, false)
				clear(payload)
				r.settle()
				return lastAnswer(t, r, written, s)
			}
			const question = `{"cmd":"members","group_id":"room:1","limit":7,"after":"0-1-2","req_id":"\u0061"}`
			refused := func(code string) {
				t.Helper()
				if got := say(question); !strings.Contains(got, `"req_id":"\u0061","code":"`+code+`"`) {
					t.Errorf("told %q, want %s", got, code)
				}
			}
			refused("not_allowed") // who may join and send to every group
			s.who = &Identity{User: "7", Grants: identityOf(t, "7", []string{"*"}, []string{"*"}).Grants}
			refused("not_allowed")
			s.who = &Identity{User: "7", Grants: tells(t, "room:2", "rooms:*")}
			refused("not_allowed")
			if asked != nil {
				t.Errorf("asked %+v", asked)
			}
			s.who = &Identity{User: "7", Grants: tells(t, "room:*")}
			if got := say(question); got != "" {
				t.Errorf("answered at once: %s", got)
			}
			want := MembersRequest{
				Session: s.ID(), Group: "room:1", After: "0-1-2", Limit: 7, ReqID: []byte(`"\u0061"`), mode: mode,
			}
			if len(asked) != 1 || !reflect.DeepEqual(asked[0], want) {
				t.Fatalf("asked %+v", asked)
			}
			q := asked[0]
			if got := say(`{"cmd":"ping"}`); !strings.Contains(got, "ack") {
				t.Errorf("a ping behind it is told %q", got)
			}
			text := q.Text(&protocol.MembersPage{Total: 3, Members: []protocol.Member{{Session: "0-1-3"}}, Next: "0-1-3"})
			if err := r.MembersListed(q, text, nil); err != nil {
				t.Fatal(err)
			}
			const answer = `"members","req_id":"\u0061","group_id":"room:1","total":3,"members":[{"session":"0-1-3"}],` +
				`"next":"0-1-3"}`
			start := map[protocol.Mode]string{protocol.ModeBare: `{"cmd":`, protocol.ModeEnvelope: `{"type":`}[mode]
			if got := lastAnswer(t, r, written, s); got != start+answer {
				t.Errorf("told %s", got)
			}
			before := r.stats.Errors
			if err := r.MembersListed(q, nil, errManyQuestions); err != nil {
				t.Fatal(err)
			}
			if got := lastAnswer(t, r, written, s); !strings.HasPrefix(got, start+`"error","req_id":"\u0061","code":"overloaded"`) {
				t.Errorf("told %s", got)
			}
			if before == r.stats.Errors {
				t.Error("an error is not counted")
			}
			room = false
			refused("overloaded")
			room = true
			s.who = nil
			granted := *r.opt
			granted.Anonymous = tells(t, "room:*")
			was := r.opt
			r.opt = &granted
			if got := say(question); got != "" || len(asked) != 1 {
				t.Errorf("anonymous: told %q", got)
			}
			granted.ListMembers = nil
			refused("not_allowed")
			r.opt = was
			r.bury(s)
			if err := r.MembersListed(q, text, nil); !errors.Is(err, ErrNoSession) {
				t.Error(err)
			}
		}
	})
}

// TestGrantsOfMembers: who may be told of members shows it; who may not, as ever, does not.
func TestGrantsOfMembers(t *testing.T) {
	e := startSim(t, func(o *Options) { o.Anonymous = nil })
	r := e.reactors[0]
	onLoop(t, r, func() {
		s := r.simulate(1, protocol.ModeBare)[0]
		if g := r.describe(s, listedGrants).Grants; g != nil {
			t.Errorf("got %+v", g)
		}
		s.who = &Identity{User: "7", Grants: tells(t, "a", "b", "c", "d")}
		g := r.describe(s, listedGrants).Grants
		if g == nil || !reflect.DeepEqual(g.Members, []string{"a", "b", "c"}) || g.MembersMore != 1 {
			t.Errorf("got %+v", g)
		}
	})
}
