package wire

import (
	"reflect"
	"strings"
	"testing"

	"groupcast/protocol/subject"
)

// FuzzList holds lists to the plain way of reading them: split, and look at each.
func FuzzList(f *testing.F) {
	for _, c := range golden(f) {
		for _, header := range []string{HeaderGroups, HeaderUsers, HeaderExclude} {
			for _, text := range c.Headers[header] {
				f.Add(text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		names, b := readNames("Names", text, MaxGroups)
		want, reason := naiveList(text, ReasonToken, func(one string) (string, bool) {
			name, err := subject.AppendName(nil, one)
			return string(name), err == nil
		})
		sameList(t, text, names, b, want, reason)
		if b == nil && joinTokens(names) != text {
			t.Errorf("%q is written %q", text, joinTokens(names))
		}
		sessions, b := readSessions("Sessions", text)
		want, reason = naiveList(text, ReasonExclude, func(one string) (string, bool) {
			_, _, _, ok := ParseSession(one)
			return one, ok
		})
		sameList(t, text, sessions, b, want, reason)
	})
}

// naiveList is what a list is read as; nothing is wrong with it where the reason is Reasons.
func naiveList(text string, bad Reason, read func(string) (string, bool)) (list []string, reason Reason) {
	if text == "" {
		return nil, Reasons
	}
	parts := strings.Split(text, ",")
	if len(parts) > 1024 {
		return nil, ReasonTooMany
	}
	for _, part := range parts {
		one, ok := read(part)
		if !ok {
			return nil, bad
		}
		list = append(list, one)
	}
	return list, Reasons
}

func sameList(t *testing.T, text string, got []string, b *Bad, want []string, reason Reason) {
	t.Helper()
	if b == nil && reason != Reasons || b != nil && b.Reason != reason || !reflect.DeepEqual(got, want) {
		t.Errorf("%q: %q, %+v, want %q, %v", text, got, b, want, reason)
	}
}
