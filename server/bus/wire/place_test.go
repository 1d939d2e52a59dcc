package wire

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"groupcast/loop"
)

func TestValidNode(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "web-1": true, "_": true, "A_9-z": true, "ALL": true, "all1": true, "09AZaz": true,
		strings.Repeat("n", 32): true, "": false, "all": false, strings.Repeat("n", 33): false, "a.b": false,
		"a b": false, "a,b": false, "a*": false,
		">": false, "ä": false, "a\x00": false, "a/b": false, "a:b": false,
		"a@": false, "a[": false, "a`": false, "a{": false,
	} {
		if ValidNode(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestPlace(t *testing.T) {
	p := Place{"web-1", 0x00c0ffee12345678, 42}
	if got := p.String(); got != "web-1 00c0ffee12345678 42" {
		t.Errorf("%q", got)
	}
	if got, ok := ParsePlace("a ffffffffffffffff 18446744073709551615"); !ok || got != (Place{"a", 1<<64 - 1, 1<<64 - 1}) {
		t.Errorf("%v, %v", got, ok)
	}
	for _, text := range []string{
		"", "a", "a 00c0ffee12345678", "a 00c0ffee12345678 ", " 00c0ffee12345678 1", "a 00c0ffee12345678 01",
		"a 00c0ffee12345678 +1", "a 00c0ffee12345678 -1", "a 00c0ffee12345678 1 ", "a  00c0ffee12345678 1",
		"a 00C0FFEE12345678 1", "a 0c0ffee12345678 1", "a 000c0ffee12345678 1", "a 0000000000000000 1",
		"a 00c0ffee1234567g 1", "a 00c0ffee12345678 18446744073709551616", "a 00c0ffee12345678 1_0",
		"all 00c0ffee12345678 1", "a 00c0ffee12345678 1 1", "a\t00c0ffee12345678\t1", "a +0c0ffee12345678 1",
	} {
		if got, ok := ParsePlace(text); ok || got != (Place{}) {
			t.Errorf("%q: %v", text, got)
		}
	}
	for _, epoch := range []uint64{1, 0x00c0ffee12345678, 1<<64 - 1} {
		if got, want := EpochText(epoch), loop.Epoch(epoch).String(); got != want {
			t.Errorf("%q, the engine writes %q", got, want)
		}
	}
}

func TestSession(t *testing.T) {
	const epoch = 0x0123abcd89abcdef
	text := SessionText("web-1", epoch, "0-1f-3")
	if text != "web-1.0123abcd.0-1f-3" {
		t.Errorf("%q", text)
	}
	node, epoch8, id, ok := ParseSession(text)
	if !ok || node != "web-1" || epoch8 != "0123abcd" || id != "0-1f-3" {
		t.Errorf("%q %q %q %v", node, epoch8, id, ok)
	}
	if !IsOwn(node, epoch8, "web-1", epoch) || IsOwn(node, epoch8, "web-2", epoch) ||
		IsOwn(node, epoch8, "web-1", epoch+1<<32) || !IsOwn("", "", "web-1", epoch) || IsOwn(node, "x", "web-1", epoch) {
		t.Error("whose it is")
	}
	if node, epoch8, id, ok = ParseSession("255-0-ffffffff"); !ok || node+epoch8 != "" || id != "255-0-ffffffff" {
		t.Errorf("%q %q %q %v", node, epoch8, id, ok)
	}
	if longest := SessionText(strings.Repeat("n", 32), 1<<63, "255-ffffffff-ffffffff"); len(longest) != MaxSessionBytes {
		t.Errorf("%d bytes", len(longest))
	}
	for _, text := range []string{
		"", ".", "..", "a.0123abcd", "a.0123abcd.", "a..0-1-1", ".0123abcd.0-1-1", "a.0123ABCD.0-1-1", "a.0123abc.0-1-1",
		"a.0123abcd.0-1-1.", "a.0123abcd.0-01-1", "all.0123abcd.0-1-1", "a.0123abcd.256-1-1", "0-1", "0-1-1-1", " 0-1-1",
		"0-g-1", "0-1-g", "a.0123abcg.0-1-1",
	} {
		if node, epoch8, id, ok := ParseSession(text); ok {
			t.Errorf("%q: %q %q %q", text, node, epoch8, id)
		}
	}
}

// What is an id here is one for the engine, and the other way round.
func TestSessionIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.StringMatching(`[0-9]{1,3}-[0-9a-f]{1,9}-[0-9a-f]{1,9}`),
			rapid.StringMatching(`[0-9a-fA-F+-]{0,12}`),
		).Draw(t, "text")
		_, err := loop.ParseSessionID(text)
		if _, _, _, ok := ParseSession(text); ok != (err == nil) {
			t.Errorf("%q: %v, the engine: %v", text, ok, err)
		}
	})
}
