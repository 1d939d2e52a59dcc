package token

import (
	"regexp"
	"strings"
	"testing"

	"groupcast/protocol"
)

// facts are those of a request for an upgrade with these lines and this target.
func facts(tb testing.TB, target string, lines ...string) protocol.RequestFacts {
	tb.Helper()
	head := "GET " + target + " HTTP/1.1\r\nHost: push.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	for _, line := range lines {
		head += line + "\r\n"
	}
	var h protocol.Handshaker
	answer, result := h.Handshake([]byte(head + "\r\n"))
	if !result.Upgraded {
		tb.Fatalf("no request: %q answered %q", head, answer)
	}
	return result.Request
}

// compactText looks like a token: {"alg":"HS256"}, {"sub":"7"} and what should be a signature.
const compactText = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl"

func TestFind(t *testing.T) {
	const none, several, bad = "missing", "ambiguous", "malformed"
	for _, c := range []struct {
		target  string
		lines   []string
		want    string
		failure string
	}{
		{"/", nil, "", none},
		{"/?a=b&to=ken&tokens=x&xtoken=y#token=z", nil, "", none},
		{"/", []string{"Authorization: Bearer a.b.c"}, "a.b.c", ""},
		{"/", []string{"authorization:bearer   a.b.c  "}, "a.b.c", ""},
		{"/", []string{"Authorization: Bearer"}, "", ""}, // an empty token, which is no good one
		{"/", []string{"Authorization: Basic a.b.c"}, "", none},
		{"/", []string{"Authorization: Bearer  "}, "", ""},
		{"/", []string{"Authorization: bearer"}, "", ""},
		{"/", []string{"Authorization: BEARER a.b.c"}, "a.b.c", ""},
		{"/", []string{"Authorization: Bearer a.b.c\td"}, "a.b.c\td", ""},
		{"/", []string{"Authorization: Basic"}, "", bad},
		{"/", []string{"Authorization:"}, "", bad},
		{"/", []string{"Authorization: a.b.c"}, "", bad},
		{"/", []string{"Authorization: Bearer\ta.b.c"}, "", bad},
		{"/", []string{"Authorization: Bearer\t a.b.c"}, "", bad},
		{"/", []string{"Authorization: Bearer:a.b.c"}, "", bad},
		{"/", []string{"Authorization: Bearer: a.b.c"}, "", bad},
		{"/", []string{"Authorization: Bearera.b.c"}, "", bad},
		{"/", []string{"Authorization: Bearers a.b.c"}, "", bad},
		{"/?token=a.b.c", []string{"Authorization: Bearer\ta.b.c"}, "", bad},
		{"/", []string{"Authorization: DPoP " + compactText}, "", bad},
		{"/", []string{"Authorization: Basic dXNlcjpwYXNz"}, "", none},
		{"/?token=a.b.c", []string{"Authorization: Basic dXNlcjpwYXNz"}, "a.b.c", ""},
		// Another's token does not matter beside one of ours.
		{"/?token=a.b.c&session=" + compactText, []string{"Authorization: DPoP " + compactText}, "a.b.c", ""},
		{"/", []string{"Sec-WebSocket-Protocol: groupcast.v1, token.a.b.c"}, "a.b.c", ""},
		{"/", []string{"Sec-WebSocket-Protocol: token.a.b.c"}, "a.b.c", ""},
		{"/", []string{"Sec-WebSocket-Protocol: groupcast.v1", "Sec-WebSocket-Protocol: token.a.b.c"}, "a.b.c", ""},
		{"/", []string{"Sec-WebSocket-Protocol: groupcast.v1, tokens, token, tok"}, "", none},
		{"/", []string{"Sec-WebSocket-Protocol: groupcast.v1, token."}, "", ""},
		{"/", []string{"Sec-WebSocket-Protocol: groupcast.v1, Token.a"}, "", bad},
		{"/", []string{"Sec-WebSocket-Protocol: groupcast.v1, TOKEN."}, "", bad},
		{"/", []string{"Sec-WebSocket-Protocol: groupcast.v1, " + compactText}, "", bad},
		{"/", []string{"Sec-WebSocket-Protocol: bearer." + compactText}, "", bad},
		{"/?token=a.b.c", nil, "a.b.c", ""},
		{"/?x=1&token=a.b.c&y", nil, "a.b.c", ""},
		{"/?t%6fken=a%2Eb.c", nil, "a.b.c", ""},
		{"/?token=", nil, "", ""},
		{"/?token", nil, "", ""},
		{"/?token=a%zz", nil, "", bad},
		{"/?Token=a", nil, "", bad},
		{"/?%54OKEN", nil, "", bad},
		{"/?access_token=" + compactText, nil, "", bad},
		{"/?x=1?token=" + compactText, nil, "", bad},
		{"/?x=" + strings.ReplaceAll(compactText, ".", "%2e"), nil, "", bad},
		{"/?%zz=" + compactText, nil, "", bad},
		{"/?access_token=x", nil, "", none},
		{"/?token=a?token=b", nil, "a?token=b", ""},
		// Two, equal or not, in whatever places.
		{"/?token=a", []string{"Authorization: Bearer a"}, "", several},
		{"/?token=a", []string{"Sec-WebSocket-Protocol: token.a"}, "", several},
		{"/", []string{"Authorization: Bearer a", "Sec-WebSocket-Protocol: token.b"}, "", several},
		{"/", []string{"Authorization: Bearer a", "Authorization: Bearer a"}, "", several},
		{"/", []string{"Authorization: Basic x", "Authorization: Bearer a"}, "", several},
		{"/", []string{"Authorization: Basic x", "Authorization: Basic x"}, "", several},
		{"/", []string{"Sec-WebSocket-Protocol: token.a, token.a"}, "", several},
		{"/", []string{"Sec-WebSocket-Protocol: token.a", "Sec-WebSocket-Protocol: token.b"}, "", several},
		{"/?token=a&token=a", nil, "", several},
		{"/?token=&token=a", nil, "", several},
	} {
		got, failure := Find(facts(t, c.target, c.lines...))
		reason := ""
		if failure != nil {
			reason = failure.Reason.String()
		}
		if got != c.want || reason != c.failure {
			t.Errorf("%s %q: %q, %s; want %q, %s", c.target, c.lines, got, reason, c.want, c.failure)
		}
	}
}

// slowCompact says what hasCompact says.
var slowCompact = regexp.MustCompile(`\.eyJ[A-Za-z0-9_-]+\.`)

func FuzzFind(f *testing.F) {
	f.Add("token=a.b.c", "Bearer a.b.c", "groupcast.v1, token.a.b.c")
	f.Add("t%6Fken=%61&x", "Basic x", "")
	f.Add("&&==&token", "bearer", ",token.,")
	f.Add("Token=x", "Bearer\tx", "x, "+compactText)
	f.Add(".eyJ.eyJa.", ".eyJa+.eyJ..eyJé.", "eyJa.eyJ")
	f.Fuzz(func(t *testing.T, query, authorization, subprotocols string) {
		for _, text := range []string{query, authorization, subprotocols, "." + query + "."} {
			if got := hasCompact(text); got != slowCompact.MatchString(text) {
				t.Fatalf("%q has one: %v", text, got)
			}
		}
		var h protocol.Handshaker
		_, result := h.Handshake([]byte("GET /?" + query + " HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n" +
			"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
			"Authorization: " + authorization + "\r\nSec-WebSocket-Protocol: " + subprotocols + "\r\n\r\n"))
		if !result.Upgraded {
			return
		}
		token, failure := Find(result.Request)
		if failure != nil {
			if token != "" || failure.Detail == "" || len(failure.Detail) > 200 {
				t.Fatalf("%q, %v", token, failure)
			}
			if tried := strings.ToLower(strings.TrimSpace(authorization)); failure.Reason == Missing &&
				(strings.HasPrefix(tried, "bearer") || strings.Contains(subprotocols, compactText)) {
				t.Fatalf("%q, %q: passed over", authorization, subprotocols)
			}
			return
		}
		// It was somewhere.
		said := authorization + " " + subprotocols
		if !strings.Contains(said, token) && !strings.Contains(query, "=") && token != "" {
			t.Fatalf("%q was nowhere", token)
		}
	})
}
