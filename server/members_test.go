package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"groupcast/loop"
	"groupcast/server/members"
	"groupcast/server/token"
)

// membersAnswer is what a session is told, in either mode.
type membersAnswer struct {
	Cmd, Type string
	ReqID     any    `json:"req_id"`
	GroupID   string `json:"group_id"`
	Code      string
	Total     int
	Members   []struct{ Session, User, Node string }
	Next      string
	Silent    []string
	bytes     int
}

func hearMembers(t *testing.T, c *websocket.Conn) (a membersAnswer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, text, err := c.Read(ctx)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		t.Fatalf("got %q: %v", text, err)
	}
	a.bytes = len(text)
	return a
}

const whoIsThere = `{"cmd":"members","group_id":"room:1","req_id":1}`

// firstSession is the id of the one session that there is.
func firstSession(t *testing.T, s *Server) string {
	t.Helper()
	page, _, err := s.engine.Sessions(t.Context(), loop.SessionID{}, 2)
	if err != nil || len(page) != 1 {
		t.Fatal(page, err)
	}
	return page[0].ID.String()
}

// Who may, is told who is in a group, in either mode: by its token's claim, and only while that is in force.
func TestMembersByToken(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) { o.TokenKeyFiles, o.TokenOptional = []string{file}, true })
	at := s.Addresses()[0]
	may := grant(t, file, token.Grant{User: "ada", Join: []string{"*"}, Members: []string{"room:*", "of:{sub}"}})
	ada := mustSession(t, at, may)
	id := firstSession(t, s)
	say(t, ada, `{"cmd":"add_group","group_id":"room:1","req_id":0}`)
	hear(t, ada, `"ack"`)
	say(t, ada, whoIsThere)
	hear(t, ada, `{"type":"members","req_id":1,"group_id":"room:1","total":1,"members":[{"session":"`+id+
		`","user":"ada"}]}`)
	for _, group := range []string{"room:2", "of:ada"} {
		say(t, ada, `{"cmd":"members","group_id":"`+group+`"}`)
		hear(t, ada, `{"type":"members","group_id":"`+group+`","total":0,"members":[]}`)
	}
	say(t, ada, `{"cmd":"members","group_id":"of:7","req_id":2}`)
	hear(t, ada, `"req_id":2,`+denied)
	// In bare mode, which a browser gets without subprotocols.
	bare, _, err := websocket.Dial(t.Context(), "ws://"+at+"/?token="+may, nil) //nolint:bodyclose // a 101 has none
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bare.CloseNow() }()
	say(t, bare, whoIsThere)
	hear(t, bare, `{"cmd":"members","req_id":1,"group_id":"room:1","total":1,"members":[{"session":"`+id+`","user":"ada"}]}`)

	// Whoever may join and send everywhere may not, nor may who has no token.
	seven := mustSession(t, at, grant(t, file, token.Grant{Join: []string{"*"}, Publish: []string{"*"}}))
	anonymous := mustSession(t, at, "")
	for _, c := range []*websocket.Conn{seven, anonymous} {
		say(t, c, whoIsThere)
		hear(t, c, `"req_id":1,`+denied)
	}
	// A renewal grants it, and takes it.
	for _, one := range []struct {
		claim []string
		told  string
	}{{[]string{"room:1"}, `"total":1`}, {nil, denied}} {
		text := grant(t, file, token.Grant{Join: []string{"*"}, Members: one.claim, TTL: 2 * time.Hour})
		say(t, seven, `{"cmd":"auth","token":"`+text+`","req_id":2}`)
		hear(t, seven, `"ack"`)
		say(t, seven, whoIsThere)
		hear(t, seven, one.told)
	}
	refusedWith(t, at, "/", 401, "Authorization: Bearer "+
		grant(t, file, token.Grant{Members: []string{"a*b"}}))
}

// The anonymous are told nothing, unless the operator has said so, on servers without tokens too; and a reload
// changes it. What else they may do stays as it is.
func TestMembersForTheAnonymous(t *testing.T) {
	s, program := startReloadable(t, nil)
	c := mustSession(t, s.Addresses()[0], "")
	id := firstSession(t, s)
	say(t, c, `{"cmd":"add_group","group_id":"room:1","req_id":0}`)
	hear(t, c, `"ack"`)
	reload := func(patterns ...string) {
		t.Helper()
		program.set(func(o *Options) { o.AnonymousMembers = patterns })
		done, err := s.Reload(t.Context())
		if err != nil || len(done.Changed) != 1 || done.Changed[0].Flag != "--anonymous-members" || len(done.Problems) > 0 {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	say(t, c, whoIsThere)
	hear(t, c, denied)
	reload("room:*")
	say(t, c, whoIsThere)
	hear(t, c, `"total":1,"members":[{"session":"`+id+`"}]}`)
	say(t, c, `{"cmd":"members","group_id":"other"}`)
	hear(t, c, denied)
	if got := s.access(); got != "open" {
		t.Errorf("anybody may join and send, and access is %s", got)
	}
	say(t, c, `{"cmd":"send_to_group","group_id":"room:1","message":"x","req_id":3}`)
	hear(t, c, `"message":"x"`)
	hear(t, c, `"ack"`)
	reload(none)
	say(t, c, whoIsThere)
	hear(t, c, denied)
}

// crowd opens n sessions, which are answered nothing, and has them join group.
func crowd(t *testing.T, s *Server, n int, text func(i int) string) []loop.SessionID {
	t.Helper()
	for i := range n {
		c, err := session(t, s.Addresses()[0], text(i))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.CloseNow() })
	}
	page, _, err := s.engine.Sessions(t.Context(), loop.SessionID{}, 1000)
	if err != nil || len(page) < n {
		t.Fatal(len(page), err)
	}
	ids := make([]loop.SessionID, len(page))
	for i, one := range page {
		ids[i] = one.ID
	}
	return ids
}

// Page by page, those who stay are told once each, whoever comes and goes meanwhile; and those who have not
// been members are not told.
func TestMembersPageByPage(t *testing.T) {
	s := startServer(t, func(o *Options) { o.AnonymousMembers = []string{"*"} })
	c := mustSession(t, s.Addresses()[0], "")
	ids := crowd(t, s, 300, func(int) string { return "" })
	in := make(map[string]bool) // who stays
	change := func(join bool, id loop.SessionID) {
		t.Helper()
		do := s.engine.Leave
		if join {
			do = s.engine.Join
		}
		if err := do(t.Context(), "room:1", id); err != nil {
			t.Fatal(err)
		}
	}
	var guests []loop.SessionID // who comes and goes
	for i, id := range ids {
		if i%6 == 5 {
			guests = append(guests, id)
			continue
		}
		change(true, id)
		in[id.String()] = true
	}
	if len(in) < 250 {
		t.Fatalf("%d members", len(in))
	}
	guest := make(map[string]bool)
	for _, id := range guests {
		guest[id.String()] = true
	}
	for _, limit := range []int{1, 7, 100, 1000} {
		got, after := make(map[string]int), ""
		for page, n := 0, 0; ; page++ {
			say(t, c, fmt.Sprintf(`{"cmd":"members","group_id":"room:1","limit":%d,"after":"%s"}`, limit, after))
			a := hearMembers(t, c)
			if a.Type != "members" || len(a.Members) > limit || a.Total < len(in) || a.Total > len(ids) {
				t.Fatalf("limit %d: got %+v", limit, a)
			}
			for _, m := range a.Members {
				got[m.Session]++
			}
			if after = a.Next; after == "" {
				break
			}
			for range 3 { // of both those before and those behind the page's end
				change((n/len(guests))%2 == 0, guests[(n*17)%len(guests)])
				n++
			}
		}
		for id := range in {
			if got[id] != 1 {
				t.Errorf("limit %d: %s stayed and is told %d times", limit, id, got[id])
			}
		}
		for id := range got {
			if !in[id] && !guest[id] {
				t.Errorf("limit %d: %s was never a member", limit, id)
			}
		}
	}
}

// An answer is no larger than a message may be, however long users' names are, and still all are told.
func TestMembersAnswerIsBounded(t *testing.T) {
	file := secretFile(t, secretText)
	s := startServer(t, func(o *Options) {
		o.TokenKeyFiles, o.TokenOptional, o.MaxMessageBytes = []string{file}, true, 2<<10
		o.AnonymousMembers = []string{"*"}
	})
	c := mustSession(t, s.Addresses()[0], "")
	ids := crowd(t, s, 60, func(i int) string {
		return grant(t, file, token.Grant{User: fmt.Sprint(i, strings.Repeat(`"`, 5*i%250))})
	})
	for _, id := range ids {
		if err := s.engine.Join(t.Context(), "room:1", id); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	pages := 0
	for after, more := "", true; more; more = after != "" {
		say(t, c, `{"cmd":"members","group_id":"room:1","limit":1000,"after":"`+after+`"}`)
		a := hearMembers(t, c)
		if a.bytes > 2<<10 || len(a.Members) == 0 && a.Next != "" {
			t.Errorf("%d bytes with %d members", a.bytes, len(a.Members))
		}
		for _, m := range a.Members {
			got = append(got, m.Session)
		}
		after = a.Next
		pages++
	}
	want := make([]string, len(ids))
	for i, id := range ids {
		want[i] = id.String()
	}
	if !slices.Equal(got, want) || pages < 5 {
		t.Errorf("%d members on %d pages, want %d", len(got), pages, len(want))
	}
}

// What is wrong with a question is told, and the session goes on.
func TestMembersOfBadQuestions(t *testing.T) {
	s := startServer(t, func(o *Options) { o.AnonymousMembers = []string{"*"} })
	c := mustSession(t, s.Addresses()[0], "")
	for fields, code := range map[string]string{
		`"group_id":"g","limit":0`:                                  "bad_command",
		`"group_id":"g","limit":-1`:                                 "bad_command",
		`"group_id":"g","limit":1000000000`:                         "bad_command",
		`"group_id":"g","limit":"1"`:                                "bad_command",
		`"group_id":"g","after":"garbage"`:                          "bad_command",
		`"group_id":"g","after":"0-1"`:                              "bad_command",
		`"group_id":"g","after":"a.0123abcd.0-1-1"`:                 "bad_command",
		`"group_id":"g","after":"` + strings.Repeat("x", 255) + `"`: "bad_command",
		`"group_id":"g","after":7`:                                  "bad_command",
		`"group_id":"` + strings.Repeat("x", 257) + `"`:             "bad_group",
		`"limit":7`: "bad_group",
		`"group_id":"g","after":"255-ffffffff-ffffffff"`:                "",
		`"group_id":"g","after":"0-ffffffff-ffffffff"`:                  "",
		`"group_id":"` + strings.Repeat("x", 256) + `","message":["x"]`: "",
	} {
		say(t, c, `{"cmd":"members",`+fields+`,"req_id":"r"}`)
		if a := hearMembers(t, c); a.Code != code || a.ReqID != "r" || code == "" && a.Type != "members" {
			t.Errorf("%s: got %+v, want %q", fields, a, code)
		}
	}
}

// A session that asks a thousand times at once is answered as often, in part overloaded, and holds nobody.
func TestManyQuestionsAtOnce(t *testing.T) {
	s := startServer(t, func(o *Options) { o.AnonymousMembers = []string{"*"} })
	c := mustSession(t, s.Addresses()[0], "")
	const n = 1000
	go func() {
		for i := range n {
			if c.Write(context.WithoutCancel(t.Context()), websocket.MessageText,
				fmt.Appendf(nil, `{"cmd":"members","group_id":"g","req_id":%d}`, i)) != nil {
				return // the reader says so
			}
		}
	}()
	seen, pages := make(map[any]bool), 0
	for range n {
		a := hearMembers(t, c)
		if a.Type == "members" {
			pages++
		} else if a.Code != "overloaded" {
			t.Errorf("got %+v", a)
		}
		seen[a.ReqID] = true
	}
	st := s.questions.stats()
	if len(seen) != n || pages == 0 || int(st.Answered) != pages || int(st.Full) != n-pages {
		t.Errorf("%d answers, %d pages, counted %+v", len(seen), pages, st)
	}
	say(t, c, whoIsThere) // the places are free again
	hear(t, c, `"total":0`)
	eventually(t, "no question to be under way", func() bool { return s.questions.stats().UnderWay == 0 })
}

// slowCluster answers when it is let go. Nobody has it remove anything.
type slowCluster struct {
	members.Cluster

	asked chan string // groups and places
	goOn  chan error
	ended chan error // why one was given up
}

func (c *slowCluster) Name() string { return "a" }

func (c *slowCluster) SessionText(id loop.SessionID) string { return "a.0123abcd." + id.String() }

func (c *slowCluster) ParseSession(text string) (id loop.SessionID, ours bool, err error) {
	id, err = loop.ParseSessionID(text)
	return id, true, err
}

func (c *slowCluster) Total(ctx context.Context, group string) (total int, silent []string, err error) {
	page, err := c.Members(ctx, group, "", 0)
	return page.Total, page.Silent, err
}

func (c *slowCluster) Members(ctx context.Context, group, after string, _ int) (members.Page, error) {
	c.asked <- group + " " + after
	select {
	case err := <-c.goOn:
		return members.Page{
			Total: 2, Members: []members.Member{{Session: "a.01.0-1-1", User: "ada", Node: "a"}}, Next: "b.x",
			Silent: []string{"b"},
		}, err
	case <-ctx.Done():
		c.ended <- ctx.Err()
		return members.Page{}, fmt.Errorf("ask the nodes: %w", ctx.Err())
	}
}

func cluster(s *Server) *slowCluster {
	c := &slowCluster{nil, make(chan string, 8), make(chan error), make(chan error, 8)}
	s.directory.join(c)
	return c
}

// While a question is under way the session goes on, may ask no second one, and others find no place where
// there are no more; afterwards there is place again. What a cluster says is told as it is.
func TestQuestionsUnderWay(t *testing.T) {
	s, program := startReloadable(t, func(o *Options) {
		o.AnonymousMembers, o.MaxMemberQuestions, o.APILimits.QueryTimeout = []string{"*"}, 1, patience
	})
	slow := cluster(s)
	at := s.Addresses()[0]
	one, two := mustSession(t, at, ""), mustSession(t, at, "")
	const question = `{"cmd":"members","group_id":"room:1","after":"b.\u0078","req_id":1}`
	say(t, one, question)
	if got := <-slow.asked; got != "room:1 b.x" {
		t.Errorf("asked %q", got)
	}
	overloaded := `"req_id":1,"code":"overloaded"`
	say(t, one, question)
	hear(t, one, overloaded)
	say(t, two, question)
	hear(t, two, overloaded)
	say(t, one, `{"cmd":"ping","req_id":2}`)
	hear(t, one, `{"type":"ack","req_id":2}`)
	program.set(func(o *Options) { o.MaxMemberQuestions = 2 })
	if done, err := s.Reload(t.Context()); err != nil || len(done.Changed) != 1 || len(done.Problems) > 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	say(t, one, question)
	hear(t, one, overloaded)
	say(t, two, question)
	<-slow.asked
	if st := s.questions.stats(); st.UnderWay != 2 || st.Full != 3 {
		t.Errorf("counted %+v", st)
	}
	slow.goOn <- nil
	slow.goOn <- nil
	for _, c := range []*websocket.Conn{one, two} {
		hear(t, c, `{"type":"members","req_id":1,"group_id":"room:1","total":2,"members":[{"session":"a.01.0-1-1",`+
			`"user":"ada","node":"a"}],"next":"b.x","silent":["b"]}`)
	}
	for err, code := range map[error]string{
		members.ErrAfter: "bad_command", errors.New("out of order"): "overloaded", nil: "",
	} {
		say(t, one, question)
		<-slow.asked
		slow.goOn <- err
		if a := hearMembers(t, one); a.Code != code {
			t.Errorf("%v: got %+v", err, a)
		}
	}
	if st := s.questions.stats(); st.Failed != 1 || st.Answered != 3 {
		t.Errorf("counted %+v", st)
	}
	// One that is under way does not hold the end, nor does a session that has gone.
	say(t, one, question)
	<-slow.asked
	_ = one.CloseNow()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-slow.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the end waited: %v", err)
	}
}

// Nobody who answers in time: told as overloaded.
func TestQuestionIsLate(t *testing.T) {
	s := startServer(t, func(o *Options) {
		o.AnonymousMembers, o.APILimits.QueryTimeout = []string{"*"}, 50*time.Millisecond
	})
	cluster(s)
	c := mustSession(t, s.Addresses()[0], "")
	say(t, c, whoIsThere)
	hear(t, c, `"req_id":1,"code":"overloaded"`)
	if st := s.questions.stats(); st.Late != 1 {
		t.Errorf("counted %+v", st)
	}
}

// While a loop stands still, sessions of others that ask are told so in time, and its own when it goes on.
func TestQuestionWhileALoopStandsStill(t *testing.T) {
	stuck, goOn := make(chan struct{}), make(chan struct{})
	s := startServer(t, func(o *Options) {
		o.AnonymousMembers, o.APILimits.QueryTimeout = []string{"*"}, 200*time.Millisecond
		o.AllowOrigin = func(origins []string) bool { // on a loop
			if slices.Equal(origins, []string{"https://stands.still"}) {
				close(stuck)
				<-goOn
			}
			return true
		}
	})
	letGo := sync.OnceFunc(func() { close(goOn) })
	defer letGo()
	at := s.Addresses()[0]
	var clients []*websocket.Conn
	loops := make(map[int]bool)
	for len(loops) < 2 {
		clients = append(clients, mustSession(t, at, ""))
		page, _, err := s.engine.Sessions(t.Context(), loop.SessionID{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range page {
			loops[one.Reactor] = true
		}
	}
	head := "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Origin: https://stands.still\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := io.WriteString(dial(t, at), head); err != nil {
		t.Fatal(err)
	}
	<-stuck
	answers := make(chan membersAnswer, len(clients))
	for _, c := range clients {
		say(t, c, whoIsThere)
		go func() {
			var a membersAnswer
			if _, text, err := c.Read(context.WithoutCancel(t.Context())); err == nil {
				_ = json.Unmarshal(text, &a)
			}
			answers <- a
		}()
	}
	if a := <-answers; a.Code != "overloaded" {
		t.Errorf("while a loop stands still: %+v", a)
	}
	letGo()
	for range clients[1:] {
		if a := <-answers; a.ReqID != 1.0 {
			t.Errorf("an answer never came: %+v", a)
		}
	}
	eventually(t, "questions to be answered again", func() bool {
		say(t, clients[0], whoIsThere)
		return hearMembers(t, clients[0]).Type == "members"
	})
}
