package protocol

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzReply reads back what is appended, by encoding/json.
func FuzzReply(f *testing.F) {
	f.Add("123", "hi", true)
	f.Add("\x00\u2028\u2029\xe2\x80", "\"\\\b\f\n\r\t\x01\x1f\x7f", true)
	f.Add("g", `{"a":[1, 2]}`, false)
	f.Add("g", "null", false)
	f.Add("", "\u2027\u202a€", true)
	f.Fuzz(func(t *testing.T, group, message string, isText bool) {
		group = strings.ToValidUTF8(group, "?")
		message = strings.ToValidUTF8(message, "?")
		if !isText && !json.Valid([]byte(message)) {
			isText = true
		}
		b := AppendMessage(nil, group, []byte(message), isText)
		if n := MessageLen(group, []byte(message), isText); n != len(b) {
			t.Fatalf("MessageLen %d, %d bytes in %q", n, len(b), b)
		}
		var got struct {
			Type    string
			GroupID string `json:"group_id"`
			Message json.RawMessage
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil {
			t.Fatalf("%v in %q", err, b)
		}
		if d.More() || got.Type != "message" || got.GroupID != group || !utf8.Valid(b) {
			t.Fatalf("%q", b)
		}
		if isText {
			var s string
			if err := json.Unmarshal(got.Message, &s); err != nil || s != message {
				t.Fatalf("%q came back as %q: %v", message, s, err)
			}
			if strings.ContainsAny(string(got.Message), "\u2028\u2029") {
				t.Fatalf("a line separator in %q", b)
			}
		} else if string(got.Message) != strings.Trim(message, " \t\r\n") {
			t.Fatalf("%q came back as %q", message, got.Message)
		}
		checkReason(t, group)
		checkMembers(t, group, message)
	})
}

// checkMembers reads back a page of members with any texts in it.
func checkMembers(t *testing.T, group, user string) {
	t.Helper()
	for mode, name := range map[Mode]string{ModeBare: "cmd", ModeEnvelope: "type"} {
		page := MembersPage{
			Total: 3, Members: []Member{{group, user, ""}, {user, "", group}}, Next: user, Silent: []string{group, user},
		}
		b := AppendMembers(nil, mode, []byte("7"), group, &page)
		var got map[string]any
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%v in %q", err, b)
		}
		member := func(session, user, node string) map[string]any {
			m := map[string]any{"session": session, "user": user, "node": node}
			maps.DeleteFunc(m, func(key string, v any) bool { return key != "session" && v == "" })
			return m
		}
		want := map[string]any{
			name: "members", "req_id": 7.0, "group_id": group, "total": 3.0, "next": user,
			"members": []any{member(group, user, ""), member(user, "", group)}, "silent": []any{group, user},
		}
		if user == "" {
			delete(want, "next")
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// checkReason puts any text where a reason stands.
func checkReason(t *testing.T, reason string) {
	t.Helper()
	for mode, name := range map[Mode]string{ModeBare: "cmd", ModeEnvelope: "type"} {
		b := AppendError(nil, mode, []byte(`"r"`), CodeOverloaded, reason)
		var got map[string]string
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%v in %q", err, b)
		}
		if len(got) != 4 || got[name] != "error" || got["req_id"] != "r" ||
			got["code"] != "overloaded" || got["reason"] != reason {
			t.Fatalf("%q", b)
		}
	}
}

// TestQuoteEveryRune compares with encoding/json, which escapes the same and,
// by default, three more.
func TestQuoteEveryRune(t *testing.T) {
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	for r := range rune(utf8.MaxRune + 1) {
		if !utf8.ValidRune(r) {
			continue
		}
		s := "a" + string(r) + "b"
		want.Reset()
		if err := enc.Encode(s); err != nil {
			t.Fatal(err)
		}
		got := appendQuoted(nil, s)
		if string(got) != strings.TrimSuffix(want.String(), "\n") {
			t.Errorf("%U: %s, want %s", r, got, want.String())
		}
		if n := quotedLen(s); n != len(got) {
			t.Errorf("%U: quotedLen %d, want %d", r, n, len(got))
		}
	}
}
