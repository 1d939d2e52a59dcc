package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"groupcast/loop"
)

// curl -d hello :1235/v1/groups/123/messages
func TestCurl(t *testing.T) {
	w := start(t, nil)
	m := w.connect("123")
	a := w.do("POST", "/v1/groups/123/messages", "hello", "Content-Type: application/x-www-form-urlencoded")
	if a.want(202); a.body != "{\"order\":1}\n" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("answered %q, %v", a.body, a.header)
	}
	m.want("hello")
	m.sync()
}

// The body is the message, whatever it is said to be.
func TestMessageVerbatim(t *testing.T) {
	w := start(t, nil)
	m := w.connect("g")
	last := uint64(0)
	for _, test := range []struct{ body, contentType string }{
		{"plain", "text/plain; charset=UTF-8"},
		{"", ""},
		{"", "text/plain"},
		{`{"json" : 1.50}`, "application/json"},
		{`"quoted"`, "application/json"},
		{"a=b&c=%20+", "application/x-www-form-urlencoded"},
		{"line\r\nbreaks\x00 and \u2028 ü 🙂", "application/octet-stream"},
		{"no such thing", "no/such-thing"},
		{strings.Repeat("x", 64<<10), "text/plain"},
	} {
		order := w.do("POST", "/v1/groups/g/messages", test.body, "Content-Type: "+test.contentType).order()
		if order <= last {
			t.Errorf("order %d after %d", order, last)
		}
		last = order
		m.want(test.body)
	}
	for _, test := range []struct {
		body, contentType, encoding string
		status                      int
		code                        string
	}{
		{"\xff", "text/plain", "", 422, codeNotUTF8},
		{strings.Repeat("x", 64<<10+1), "text/plain", "", 413, codeTooLarge},
		{strings.Repeat("\x01", 64<<10), "text/plain", "", 413, codeTooLarge}, // six times as long once escaped
		{"x", "text/plain; charset=latin1", "", 415, codeMediaType},
		{"x", "multipart/form-data; boundary=b", "", 415, codeMediaType},
		{"x", "text/plain; charset", "", 415, codeMediaType},
		{"x", "text/plain", "gzip", 415, codeMediaType},
	} {
		w.do("POST", "/v1/groups/g/messages", test.body, "Content-Type: "+test.contentType,
			"Content-Encoding: "+test.encoding).
			wantCode(test.status, test.code)
	}
	m.sync()
}

// A group's name may hold anything that is UTF-8.
func TestGroupNamesInPaths(t *testing.T) {
	w := start(t, nil)
	for _, name := range []string{
		"123", "a/b", "//", "/a/", "..", ".", "a b", "+", "%", "%2F", "?", "#", "ü🙂", "a\x00b", "{group}", ";",
		strings.Repeat("x", 256),
	} {
		path := "/v1/groups/" + url.PathEscape(name)
		if strings.Trim(name, ".") == "" {
			path = "/v1/groups/" + strings.ReplaceAll(name, ".", "%2E")
		}
		m := w.connect(name)
		w.do("POST", path+"/messages", "to "+name).order()
		m.want("to " + name)
		var info loop.GroupInfo
		if w.do("GET", path, "").want(200).json(&info); info.Name != name || info.Members != 1 {
			t.Errorf("%q: %+v", name, info)
		}
		id := w.sessions()[0]
		w.do("DELETE", path+"/members/"+id, "").want(204)
		w.do("GET", path, "").wantCode(404, codeNoGroup)
		w.do("PUT", path+"/members/"+id, "").want(204)
		w.do("DELETE", path, "").want(204)
		w.do("DELETE", path, "").wantCode(404, codeNoGroup)
		_ = m.conn.CloseNow()
		waitFor(t, "the session is gone", func() bool { return len(w.sessions()) == 0 })
	}
	for path, code := range map[string]string{
		"/v1/groups//messages": codeNotFound,
		// net/http's mux takes it for an end: see doc.go
		"/v1/groups/%2F/messages":                                 codeNotFound,
		"/v1/groups/a/b/messages":                                 codeNotFound,
		"/v1/groups/../messages":                                  codeNotFound,
		"/v1/groups/g/messages/":                                  codeNotFound,
		"/v1/groups/%FF/messages":                                 codeBadGroup,
		"/v1/groups/" + strings.Repeat("x", 257) + "/messages":    codeBadGroup,
		"/v1/groups/" + strings.Repeat("x", 10<<10) + "/messages": codeBadGroup,
	} {
		status := 404
		if code == codeBadGroup {
			status = 422
		}
		w.do("POST", path, "x").wantCode(status, code)
	}
}

// Single publications: forms of groups and messages, and who gets them.
func TestPublish(t *testing.T) {
	w := start(t, nil)
	m := w.connect("a", "123")
	other := w.connect("b")
	id := idOf(t, w, "b")
	for _, test := range []struct {
		body string
		m    []string // what m gets
		b    []string // and other
	}{
		{`{"groups":["a"],"message":"hi"}`, []string{"hi"}, nil},
		{`{"groups":[123],"message":"int"}`, []string{"int"}, nil},
		{
			` {"message" : {"a" : 1.50,  "b":[ ]} , "groups":["a","b"]} `,
			[]string{`{"a" : 1.50,  "b":[ ]}`},
			[]string{`{"a" : 1.50,  "b":[ ]}`},
		},
		{`{"groups":["a","a","123"],"message":"thrice"}`, []string{"thrice", "thrice", "thrice"}, nil},
		{`{"groups":["a"],"message":null}`, []string{"null"}, nil},
		{`{"groups":["a"],"message":1e400}`, []string{"1e400"}, nil},
		{`{"groups":["a"],"message":""}`, []string{""}, nil},
		{`{"groups":["a"],"message":"\ud83d\ude42\u0000\/"}`, []string{"🙂\x00/"}, nil},
		{`{"groups":["a"],"message":{"x":"<&>\u00e4"}}`, []string{`{"x":"<&>\u00e4"}`}, nil},
		{`{"gr\u006fups":["\u0061"],"message":"escaped"}`, []string{"escaped"}, nil},
		{`{"groups":["a","b"],"message":"not to other","exclude":["` + id + `"]}`, []string{"not to other"}, nil},
		{
			`{"groups":["a","b"],"message":"gone ones do no harm","exclude":["0-ffff-ff"]}`,
			[]string{"gone ones do no harm"},
			[]string{"gone ones do no harm"},
		},
		{`{"groups":["nobody"],"message":"is there"}`, nil, nil},
	} {
		w.post(test.body).order()
		m.want(test.m...)
		other.want(test.b...)
	}
	m.sync()
	other.sync()
}

// idOf is the session that is in a group.
func idOf(t *testing.T, w *world, group string) string {
	t.Helper()
	for _, id := range w.sessions() {
		var info loop.SessionInfo
		w.do("GET", "/v1/sessions/"+id, "").want(200).json(&info)
		if slices.Contains(info.Groups, group) {
			return id
		}
	}
	t.Fatalf("nobody is in %s", group)
	return ""
}

// What is refused is not published, and the answer says why.
func TestPublishRefusals(t *testing.T) {
	w := start(t, nil)
	m := w.connect("a")
	big := strings.Repeat("x", 64<<10+1)
	many := strings.Repeat(`"a",`, loop.MaxPublicationGroups) + `"a"`
	excludes := strings.Repeat(`"0-1-1",`, loop.MaxPublicationExcludes) + `"0-1-1"`
	for _, test := range []struct {
		body   string
		status int
		code   string
	}{
		{``, 400, codeBadJSON},
		{`{"groups":["a"],"message":"x"`, 400, codeBadJSON},
		{`{"groups":["a"],"message":"x"} x`, 400, codeBadJSON},
		{`{"groups":["a"],"message":"x"}{"groups":["a"],"message":"y"}`, 400, codeBadJSON},
		{`{"groups":["a"],"message":"x",}`, 400, codeBadJSON},
		{`{'groups':["a"],"message":"x"}`, 400, codeBadJSON},
		{"{\"groups\":[\"a\"],\"message\":\"\xff\"}", 400, codeBadJSON},
		{"{\"groups\":[\"a\"],\"message\":\"\n\"}", 400, codeBadJSON},
		{"\ufeff" + `{"groups":["a"],"message":"x"}`, 400, codeBadJSON},
		{`{"groups":["a"],"message":"\ud83d"}`, 400, codeBadJSON},
		{`{"groups":["a"],"message":"\ude42\ud83d"}`, 400, codeBadJSON},
		{`{"groups":["a"],"message":{"deep":["\ud83d\u0041"]}}`, 400, codeBadJSON},
		{`{"groups":["a"],"message":"x","message":"y"}`, 400, codeBadJSON},
		{`{"groups":["a"],"groups":["a"],"message":"y"}`, 400, codeBadJSON},
		{`{"groups":["a"],"message":"y","exclude":[],"ex\u0063lude":[]}`, 400, codeBadJSON},
		{`{"groups":["a"],"message":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, 400, codeBadJSON},
		{`"x"`, 422, codeBadItem},
		{`null`, 422, codeBadItem},
		{`12`, 422, codeBadItem},
		{`{}`, 422, codeBadItem},
		{`{"groups":["a"]}`, 422, codeBadMessage},
		{`{"message":"x"}`, 422, codeBadItem},
		{`{"groups":"a","message":"x"}`, 422, codeBadItem},
		{`{"groups":null,"message":"x"}`, 422, codeBadItem},
		{`{"groups":[],"message":"x"}`, 422, codeBadItem},
		{`{"groups":[` + many + `],"message":"x"}`, 422, codeTooManyGroups},
		{`{"groups":["a",""],"message":"x"}`, 422, codeBadGroup},
		{`{"groups":["a",1.0],"message":"x"}`, 422, codeBadGroup},
		{`{"groups":["a",1e2],"message":"x"}`, 422, codeBadGroup},
		{`{"groups":["a",null],"message":"x"}`, 422, codeBadGroup},
		{`{"groups":["a",["a"]],"message":"x"}`, 422, codeBadGroup},
		{`{"groups":["a","` + strings.Repeat("x", 257) + `"],"message":"x"}`, 422, codeBadGroup},
		{`{"users":[],"message":"x"}`, 422, codeBadItem},
		{`{"users":"7","groups":["a"],"message":"x"}`, 422, codeBadItem},
		{`{"users":["7"],"users":["7"],"message":"x"}`, 400, codeBadJSON},
		{`{"users":["7"],"groups":["a"]}`, 422, codeBadMessage},
		{`{"users":[` + many + `],"groups":["a"],"message":"x"}`, 422, codeTooManyUsers},
		{`{"users":["7",1.0],"groups":["a"],"message":"x"}`, 422, codeBadUser},
		{`{"users":["7",""],"groups":["a"],"message":"x"}`, 422, codeBadUser},
		{`{"users":["` + strings.Repeat("7", loop.MaxUserBytes+1) + `"],"groups":["a"],"message":"x"}`, 422, codeBadUser},
		{`{"groups":["a"],"message":"x","exlude":["0-1-1"]}`, 422, codeBadItem},
		{`{"groups":["a"],"message":"x","exclude":"0-1-1"}`, 422, codeBadItem},
		{`{"groups":["a"],"message":"x","exclude":[1]}`, 422, codeBadSession},
		{`{"groups":["a"],"message":"x","exclude":["0-01-1"]}`, 422, codeBadSession},
		{`{"groups":["a"],"message":"x","exclude":[` + excludes + `]}`, 422, codeTooManyExcludes},
		{`{"groups":["a"],"message":"` + big + `"}`, 413, codeTooLarge},
		{`{"groups":["a"],"message":["` + big + `"]}`, 413, codeTooLarge},
		{`{"groups":["a"],"message":"` + strings.Repeat("y", 1<<20) + `"}`, 413, codeTooLarge},
	} {
		a := w.post(test.body).wantCode(test.status, test.code)
		if strings.Contains(a.body, "exlude") || strings.Contains(a.body, "0-01-1") {
			t.Errorf("the answer repeats the input: %s", a.body)
		}
	}
	w.do("POST", "/v1/publish", `{"groups":["a"],"message":"x"}`,
		"Content-Type: application/x-www-form-urlencoded").wantCode(415, codeMediaType)
	w.do("POST", "/v1/publish", `{"groups":["a"],"message":"x"}`,
		"Content-Type: application/json; charset=latin1").wantCode(415, codeMediaType)
	m.sync()
	w.do("POST", "/v1/publish", `{"groups":["a"],"message":"without a type"}`).order()
	m.want("without a type")
	m.sync()
}

// A batch is published in its order, without the items that cannot be.
func TestBatch(t *testing.T) {
	w := start(t, nil)
	m := w.connect("a")
	a := w.post(`[
		{"groups":["a"],"message":"one"},
		{"groups":[],"message":"no group"},
		{"groups":["a"],"message":{"two":2}},
		7,
		{"groups":["a","b"],"message":"three"},
		{"groups":["a",""],"message":"none of its groups gets it"},
		{"groups":["a"],"message":"four"}]`).want(202)
	var results []struct {
		Order  uint64
		Status int
		Code   string
	}
	a.json(&results)
	m.want("one", `{"two":2}`, "three", "four")
	m.sync()
	var got []string
	last := uint64(0)
	for _, r := range results {
		got = append(got, fmt.Sprint(r.Status, r.Code))
		if r.Status == 0 {
			if r.Order <= last {
				t.Errorf("order %d after %d", r.Order, last)
			}
			last = r.Order
		}
	}
	if want := []string{"0", "422bad_item", "0", "422bad_item", "0", "422bad_group", "0"}; !slices.Equal(got, want) {
		t.Errorf("results %q, want %q", got, want)
	}

	if a := w.post(` [ ] `).want(202); a.body != "[]\n" {
		t.Errorf("an empty batch: %q", a.body)
	}
	// One mistake in the JSON and nothing is published, though the first items are fine.
	for _, tail := range []string{
		`,{"groups":["a"],"message":"x"`, `,{"groups":["a"],"message":"x","message":"y"}]`,
		`,"\udc00"]`, `]]`,
	} {
		w.post(`[{"groups":["a"],"message":"x"}`+tail).wantCode(400, codeBadJSON)
	}
	item := `{"groups":["a"],"message":"x"},`
	w.post("["+strings.Repeat(item, 1000)+strings.TrimSuffix(item, ",")+"]").wantCode(413, codeTooManyItems)
	m.sync()
	w.post("[" + strings.Repeat(item, 999) + strings.TrimSuffix(item, ",") + "]").want(202).json(&results)
	if len(results) != 1000 {
		t.Errorf("%d results", len(results))
	}
	for range 1000 {
		m.want("x")
	}
	m.sync()
	if s := w.api.Stats(); s.PublishedItems.Load() != 1004 || s.RefusedItems.Load() != 3+4+1 {
		t.Errorf("counted %d published, %d refused", s.PublishedItems.Load(), s.RefusedItems.Load())
	}
}

func TestSessions(t *testing.T) {
	w := start(t, nil)
	var members []*member
	for i := range 25 {
		members = append(members, w.connect("all", fmt.Sprint("own ", i)))
	}
	var seen []string
	for after, pages := "", 0; ; pages++ {
		var page sessionsPage
		w.do("GET", "/v1/sessions?limit=10&after="+after, "").want(200).json(&page)
		if len(page.Sessions) > 10 {
			t.Fatalf("%d on a page", len(page.Sessions))
		}
		for _, s := range page.Sessions {
			if s.State != "open" || s.GroupCount != 2 || s.Remote == "" || s.Groups != nil {
				t.Errorf("%+v", s)
			}
			seen = append(seen, s.ID)
		}
		if after = page.Next; after == "" {
			break
		}
		if pages > 10 {
			t.Fatal("the pages have no end")
		}
	}
	slices.Sort(seen)
	if n := len(slices.Compact(seen)); n != 25 {
		t.Errorf("%d sessions listed", n)
	}

	id := idOf(t, w, "own 7")
	var info loop.SessionInfo
	w.do("GET", "/v1/sessions/"+id, "").want(200).json(&info)
	if slices.Sort(info.Groups); info.ID.String() != id || !slices.Equal(info.Groups, []string{"all", "own 7"}) {
		t.Errorf("%+v", info)
	}
	w.do("DELETE", "/v1/sessions/"+id+"?code=4001&reason="+url.QueryEscape("bye & ü"), "").want(204)
	_, err := members[7].next()
	if e, _ := errors.AsType[websocket.CloseError](err); e.Code != 4001 || e.Reason != "bye & ü" {
		t.Errorf("closed with %v", err)
	}
	id = idOf(t, w, "own 8")
	w.do("DELETE", "/v1/sessions/"+id, "").want(204)
	if _, err := members[8].next(); websocket.CloseStatus(err) != 1008 {
		t.Errorf("closed with %v", err)
	}
	waitFor(t, "both are gone", func() bool { return len(w.sessions()) == 23 })
	for _, test := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/v1/sessions/" + id, 404, codeNoSession},
		{"DELETE", "/v1/sessions/" + id, 404, codeNoSession},
		{"PUT", "/v1/groups/g/members/" + id, 404, codeNoSession},
		{"DELETE", "/v1/groups/g/members/" + id, 404, codeNoSession},
		{"GET", "/v1/sessions/255-1-1", 404, codeNoSession},
		{"GET", "/v1/sessions/nobody", 422, codeBadParameter},
		{"GET", "/v1/sessions?after=nobody", 422, codeBadParameter},
		{"GET", "/v1/sessions?limit=0", 422, codeBadParameter},
		{"GET", "/v1/sessions?limit=1001", 422, codeBadParameter},
		{"GET", "/v1/sessions?limit=x", 422, codeBadParameter},
		{"GET", "/v1/sessions?limt=1", 422, codeBadParameter},
		{"GET", "/v1/sessions?limit=1&limit=2", 400, codeBadParameter},
		{"GET", "/v1/sessions?limit=%zz", 400, codeBadParameter},
		{"GET", "/v1/sessions?after&limit=0", 422, codeBadParameter},
		{"DELETE", "/v1/sessions/" + w.sessions()[0] + "?code=1005", 422, codeBadClose},
		{"DELETE", "/v1/sessions/" + w.sessions()[0] + "?code=999", 422, codeBadParameter},
		{"DELETE", "/v1/sessions/" + w.sessions()[0] + "?reason=" + strings.Repeat("x", 124), 422, codeBadClose},
		{"DELETE", "/v1/sessions/" + w.sessions()[0] + "?reason=%FF", 422, codeBadClose},
	} {
		a := w.do(test.method, test.path, "").wantCode(test.status, test.code)
		if strings.Contains(a.body, "nobody") {
			t.Errorf("the answer repeats the input: %s", a.body)
		}
	}
	if n := len(w.sessions()); n != 23 {
		t.Errorf("%d sessions are left", n)
	}
}

// TestJoinInACluster: the answer to a join waits until the bus covers the group, and says where it
// does not. The session is a member in any case.
func TestJoinInACluster(t *testing.T) {
	w := start(t, func(s *setup) { s.loop.JoinWait = patience })
	m := w.connect()
	path := "/v1/groups/g/members/" + w.sessions()[0]
	w.engine.SetCoverage(loop.CoverageAway)
	if a := w.do("PUT", path, "").want(200); a.body != "{\"cluster\":false}\n" ||
		a.header.Get("Content-Type") != "application/json" {
		t.Errorf("answered %q, %v", a.body, a.header)
	}
	w.do("POST", "/v1/groups/g/messages", "hi").order()
	m.want("hi")
	w.engine.SetCoverage(loop.CoverageOn)
	answered := make(chan *answer, 1)
	go func() { answered <- w.do("PUT", path, "") }()
	if err := w.engine.Cover([]string{"g"}); err != nil {
		t.Fatal(err)
	}
	(<-answered).want(204)
	w.do("PUT", path, "").want(204)
	w.do("PUT", "/v1/groups/g/members/0-1f-3", "").wantCode(404, codeNoSession)
}

func TestGroupsAndMembers(t *testing.T) {
	w := start(t, nil)
	m := w.connect()
	id := w.sessions()[0]
	var want []string
	for i := range 25 {
		name := fmt.Sprintf("room/%02d", i)
		want = append(want, name)
		w.do("PUT", "/v1/groups/"+url.PathEscape(name)+"/members/"+id, "").want(204)
	}
	w.do("PUT", "/v1/groups/other/members/"+id, "").want(204)
	w.do("PUT", "/v1/groups/other/members/"+id, "").want(204) // joining twice is joining once
	var got []string
	for after := ""; ; {
		var page groupsPage
		w.do("GET", "/v1/groups?limit=10&prefix=room%2F&after="+url.QueryEscape(after), "").want(200).json(&page)
		for _, g := range page.Groups {
			if g.Members != 1 {
				t.Errorf("%+v", g)
			}
			got = append(got, g.Name)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %q", got)
	}
	var page groupsPage
	if w.do("GET", "/v1/groups", "").want(200).json(&page); len(page.Groups) != 26 || page.Next != "" {
		t.Errorf("%d groups, next %q", len(page.Groups), page.Next)
	}
	if a := w.do("GET", "/v1/groups?prefix=none", "").want(200); a.body != "{\"groups\":[]}\n" {
		t.Errorf("no group: %s", a.body)
	}
	w.do("GET", "/v1/groups?prefix=%FF", "").wantCode(422, codeBadParameter)
	if w.do("GET", "/v1/groups?prefix", "").want(200).json(&page); len(page.Groups) != 26 {
		t.Errorf("a name without a value: %d groups", len(page.Groups))
	}

	var info loop.GroupInfo
	if w.do("GET", "/v1/groups/other", "").want(200).json(&info); info.Members != 1 || len(info.ByReactor) != 2 {
		t.Errorf("%+v", info)
	}
	w.do("POST", "/v1/groups/other/messages", "hi").order()
	m.want("hi")
	var members sessionsPage
	w.connect()
	w.do("GET", "/v1/groups/other/members?limit=1", "").want(200).json(&members)
	if len(members.Sessions) != 1 || members.Sessions[0].ID != id {
		t.Errorf("members %+v", members)
	}
	w.do("GET", "/v1/groups/other/members?after="+id, "").want(200)
	w.do("GET", "/v1/groups/nobodys/members", "").wantCode(404, codeNoGroup)
	w.do("GET", "/v1/groups/other/members?after=x", "").wantCode(422, codeBadParameter)
	w.do("DELETE", "/v1/groups/other/members/"+id, "").want(204)
	w.do("DELETE", "/v1/groups/other/members/"+id, "").want(204) // not being in it is no error
	w.do("POST", "/v1/groups/other/messages", "nobody").order()
	w.do("DELETE", "/v1/groups/room%2F00", "").want(204)
	w.do("POST", "/v1/groups/room%2F00/messages", "nobody").order()
	m.sync()
	for i := range 104 {
		w.do("PUT", fmt.Sprint("/v1/groups/more", i, "/members/", id), "").want(204)
	}
	w.do("PUT", "/v1/groups/one-too-many/members/"+id, "").wantCode(409, "too_many_groups")
	w.do("PUT", "/v1/groups/"+strings.Repeat("x", 257)+"/members/"+id, "").wantCode(422, codeBadGroup)
	w.do("DELETE", "/v1/groups/"+strings.Repeat("x", 257)+"/members/"+id, "").wantCode(422, codeBadGroup)
}

func TestStatusAndHealth(t *testing.T) {
	w := start(t, nil)
	w.connect()
	var status struct {
		Version     string
		State       string
		Connections int
	}
	if w.do("GET", "/v1/status", "").want(200).json(&status); status.Version != "test" || status.Connections != 1 {
		t.Errorf("%+v", status)
	}
	if a := w.do("GET", "/healthz", "").want(200); a.body != "{\"status\":\"ok\"}\n" {
		t.Errorf("healthz: %s", a.body)
	}
	if a := w.do("GET", "/readyz", "").want(200); a.body != "{\"status\":\"ready\"}\n" {
		t.Errorf("readyz: %s", a.body)
	}
	if a := w.do("HEAD", "/healthz", "").want(200); a.body != "" {
		t.Errorf("HEAD: %s", a.body)
	}
	w.api.SetDraining()
	w.do("GET", "/readyz", "").wantCode(503, codeNotReady)
	w.do("GET", "/healthz", "").want(200)
}

// After the drain has begun nothing is taken any more, but questions are answered.
func TestDraining(t *testing.T) {
	w := start(t, nil)
	m := w.connect("g")
	w.do("POST", "/v1/groups/g/messages", "before").order()
	drained := make(chan error, 1)
	go func() {
		_, err := w.engine.Drain(t.Context(), websocketGoingAway, 0)
		drained <- err
	}()
	waitFor(t, "publishing is refused", func() bool {
		a := w.do("POST", "/v1/groups/nobody/messages", "x")
		return a.status == 503
	})
	w.do("POST", "/v1/groups/g/messages", "x").wantCode(503, codeDraining)
	var results []problem
	w.post(`[{"groups":["g"],"message":"x"}]`).want(202).json(&results)
	if len(results) != 1 || results[0].Code != codeDraining || results[0].Status != 503 {
		t.Errorf("%+v", results)
	}
	w.do("GET", "/readyz", "").wantCode(503, codeNotReady)
	w.do("GET", "/healthz", "").want(200)
	m.want("before")
	if _, err := m.next(); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("closed with %v", err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if err := w.engine.Close(); err != nil {
		t.Error(err)
	}
	w.do("POST", "/v1/groups/g/messages", "x").wantCode(503, codeDraining)
	w.do("GET", "/v1/sessions", "").wantCode(503, codeDraining)
	w.do("GET", "/v1/groups", "").wantCode(503, codeDraining)
}

const websocketGoingAway = 1001

// Messages of WebSocket clients and of the API stand in one order.
func TestOneOrder(t *testing.T) {
	const each = 100
	w := start(t, nil)
	a, b := w.connect("g"), w.connect("g")
	publisher := w.connect()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range each {
			w.do("POST", "/v1/groups/g/messages", fmt.Sprint("api ", i)).order()
		}
	}()
	for i := range each {
		text, err := json.Marshal(fmt.Sprint("ws ", i))
		if err != nil {
			t.Fatal(err)
		}
		publisher.command(`{"cmd":"send_to_group","group_id":"g","message":` + string(text) + `}`)
	}
	<-done
	var seen [2][]string
	for i, m := range []*member{a, b} {
		for range 2 * each {
			text, err := m.next()
			if err != nil {
				t.Fatal(err)
			}
			seen[i] = append(seen[i], text)
		}
	}
	if !slices.Equal(seen[0], seen[1]) {
		t.Error("two members saw different orders")
	}
}
