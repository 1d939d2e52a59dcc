package bus

import (
	"testing"

	"groupcast/protocol/subject"
	"groupcast/server/bus/wire"
)

// aWriter is one that has nothing to write to.
func aWriter(tb testing.TB) *writer {
	tb.Helper()
	prefix, err := subject.ParsePrefix("groupcast")
	if err != nil {
		tb.Fatal(err)
	}
	b := &Bus{opt: Options{Node: "web-1"}, epoch: 0x0123456789abcdef, subjects: subjectsOf(prefix, "web-1")}
	return newWriter(b)
}

func BenchmarkOutgoing(b *testing.B) {
	w := aWriter(b)
	m := &message{Payload: make([]byte, 100), IsText: true, Group: "room:1234", Order: 123_456_789}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.outgoing(m); err != nil {
			b.Fatal(err)
		}
	}
}

// Two strings are new with each message: its subject and its place.
func TestOutgoingAllocates(t *testing.T) {
	w := aWriter(t)
	m := &message{Payload: make([]byte, 100), IsText: true, Group: "room:1234", Order: 123_456_789}
	if n := testing.AllocsPerRun(100, func() { _, _ = w.outgoing(m) }); n > 2 {
		t.Errorf("allocations of a message: got %g, want 2 at most", n)
	}
}

// A message says where it is from and whom it is for.
func TestOutgoingHeaders(t *testing.T) {
	msg, err := aWriter(t).outgoing(&message{
		Payload: []byte("{}"), Groups: []string{"a.b", "c"}, Users: []string{"7"}, Order: 12,
		ExcludeElsewhere: []string{"b.00c0ffee.0-1f-3", "0-1-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		wire.HeaderMode: "json", wire.HeaderOrigin: "web-1 0123456789abcdef 12", wire.HeaderGroups: "a%2Eb,c",
		wire.HeaderUsers: "7", wire.HeaderExclude: "b.00c0ffee.0-1f-3,0-1-1",
	} {
		if got := msg.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// A header of the message before does not stay.
func TestOutgoingOneBehindTheOther(t *testing.T) {
	w := aWriter(t)
	for _, test := range []struct {
		m       message
		subject string
		headers int
	}{
		{message{Payload: []byte("a"), IsText: true, Group: "1", Order: 1}, "groupcast.g.1", 1},
		{message{Payload: []byte("{}"), Groups: []string{"1"}, Users: []string{"2"}, Order: 2}, "groupcast.m", 4},
		{message{Payload: []byte("b"), IsText: true, Group: "2", Order: 3}, "groupcast.g.2", 1},
	} {
		msg, err := w.outgoing(&test.m)
		if err != nil || msg.Subject != test.subject || len(msg.Header) != test.headers ||
			string(msg.Data) != string(test.m.Payload) {
			t.Errorf("order %d: got %+v, %v", test.m.Order, msg, err)
		}
	}
}
