package api

import (
	"context"
	"slices"
	"strings"
	"testing"

	"groupcast/loop"
	"groupcast/server/members"
)

// In a cluster sessions have the node's name in their ids, wherever they are written, and are read in both
// forms. Alone a node knows no other form than its own.
func TestSessionsOfACluster(t *testing.T) {
	var together bool
	w := start(t, func(s *setup) {
		s.api.Cluster = func() members.Cluster {
			if together {
				return &cluster{}
			}
			return nil
		}
	})
	m, other := w.connect(), w.connect()
	short := w.sessions()
	alone := w.do("GET", "/v1/sessions/"+short[0], "").want(200).body
	const prefix = "a.0123abcd."
	w.do("GET", "/v1/sessions/"+prefix+short[0], "").wantCode(422, codeBadParameter)
	w.do("POST", "/v1/publish", `{"groups":["g"],"message":"","exclude":["`+prefix+short[0]+`"]}`).
		wantCode(422, codeBadSession)

	together = true
	if long := w.sessions(); len(long) != 2 || long[0] != prefix+short[0] || long[1] != prefix+short[1] {
		t.Fatalf("alone they are %q, in a cluster %q", short, long)
	}
	var page sessionsPage
	w.do("GET", "/v1/sessions?limit=1", "").want(200).json(&page)
	if page.Next != prefix+short[0] {
		t.Errorf("next is %s", page.Next)
	}
	for _, id := range []string{short[0], prefix + short[0]} {
		got := w.do("GET", "/v1/sessions/"+id, "").want(200).body
		if !strings.HasPrefix(got, `{"id":"`+prefix+short[0]+`","reactor":`) {
			t.Errorf("in a cluster %s, alone %s", got, alone)
		}
		w.do("GET", "/v1/sessions?limit=1&after="+id, "").want(200).json(&page)
		if len(page.Sessions) != 1 || page.Sessions[0].ID != prefix+short[1] {
			t.Errorf("behind %s there is %+v", id, page)
		}
		w.do("PUT", "/v1/groups/g/members/"+id, "").want(204)
	}
	w.do("DELETE", "/v1/groups/g/members/"+prefix+short[0], "").want(204)

	for _, r := range []struct{ method, path string }{
		{"GET", "/v1/sessions/ID"},
		{"GET", "/v1/sessions?after=ID"},
		{"PUT", "/v1/groups/g/members/ID"},
		{"DELETE", "/v1/groups/g/members/ID"},
	} {
		at := func(id string) *answer { return w.do(r.method, strings.ReplaceAll(r.path, "ID", id), "") }
		if got := at("b-2.0123abcd."+short[0]).wantCode(409, codeOtherNode); !strings.Contains(got.body, "node b-2:") {
			t.Errorf("%s %s: %s", r.method, r.path, got.body)
		}
		at("a.89abcdef."+short[0]).wantCode(404, codeNoSession)
		at("a.0123abcd").wantCode(422, codeBadParameter)
	}
	// A parameter that is wrong comes first.
	w.do("GET", "/v1/sessions?limit=0&after=b.0123abcd."+short[0], "").wantCode(422, codeBadParameter)
	m.sync()
	other.sync()
	w.do("DELETE", "/v1/sessions/"+prefix+short[0], "").want(204)
}

// Alone a node answers what it has always answered, byte by byte.
func TestSessionsOfANodeAlone(t *testing.T) {
	w := start(t, nil)
	m := w.connect()
	m.sync()
	id := w.sessions()[0]
	for path, want := range map[string]string{
		"/v1/sessions":             `{"sessions":[{"id":"` + id + `","reactor":`,
		"/v1/sessions/" + id:       `{"id":"` + id + `","reactor":`,
		"/v1/sessions?after=" + id: `{"sessions":[]}` + "\n",
	} {
		if got := w.do("GET", path, "").want(200).body; !strings.HasPrefix(got, want) || strings.Count(got, `"id"`) > 1 {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// Sessions of other nodes that are excluded are for these nodes.
func TestExcludeElsewhere(t *testing.T) {
	var got loop.Publication
	f := &fake{publish: func(_ context.Context, p loop.Publication) (uint64, error) {
		got = p
		return 1, nil
	}}
	h := fakeAPI(t, f, func(o *Options) { o.Cluster = func() members.Cluster { return &cluster{} } }).Handler(false)
	publish := func(exclude ...string) *answer {
		t.Helper()
		got = loop.Publication{}
		return ask(t, h, request("POST", "/v1/publish",
			string(quoted(map[string]any{"groups": []string{"g"}, "message": 1, "exclude": exclude}))))
	}
	publish("0-1f-3", "a.0123abcd.1-2-3", "b.0123abcd.0-4-5", "a.00000000.0-6-7").want(202)
	var ours []string
	for _, id := range got.Exclude {
		ours = append(ours, id.String())
	}
	if !slices.Equal(ours, []string{"0-1f-3", "1-2-3"}) ||
		!slices.Equal(got.ExcludeElsewhere, []string{"b.0123abcd.0-4-5", "a.00000000.0-6-7"}) {
		t.Errorf("here %q, elsewhere %q", ours, got.ExcludeElsewhere)
	}
	publish("b.0123abcd.x").wantCode(422, codeBadSession)
	publish(slices.Repeat([]string{"b.0123abcd.0-4-5"}, loop.MaxPublicationExcludes+1)...).
		wantCode(422, codeTooManyExcludes)
}
