package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// heard is what a session got: numbers of stream 0, -1 for a notice.
func heard(numbers ...int) (events []event) {
	for i, n := range numbers {
		e := event{number: n, at: time.Duration(i) * time.Second}
		if n < 0 {
			e = event{stream: gap, at: e.at}
		}
		events = append(events, e)
	}
	return events
}

// sent is a stream whose messages fared so: a for accepted, r for refused, ? for no answer.
func sent(life int, fates string) *stream {
	s := &stream{group: "g", by: "p", life: life}
	for _, fate := range fates {
		s.marks = append(s.marks, map[rune]mark{'a': accepted, 'r': refused, '?': unknown}[fate])
	}
	return s
}

// TestJudge: what is to be found is found, and nothing else.
func TestJudge(t *testing.T) {
	const here, there = 1, 2
	begun := []int{0}
	for name, test := range map[string]*struct {
		stream *stream
		s      session
		want   string // in the one finding; none if it is empty
		missed int
		tail   int
	}{
		"all": {stream: sent(there, "aaa"), s: session{events: heard(1, 2, 3), whole: begun}},
		"twice": {
			stream: sent(there, "aaa"), want: "twice",
			s: session{events: heard(1, 2, 2, 3), whole: begun},
		},
		"twice, later": {
			stream: sent(there, "aaa"), want: "twice",
			s: session{events: heard(1, 2, 3, 2), whole: begun},
		},
		"another order": {
			stream: sent(there, "a?a"), want: "behind 3",
			s: session{events: heard(1, 3, 2), whole: begun},
		},
		"refused": {stream: sent(there, "ar"), s: session{events: heard(1, 2), whole: begun}, want: "refused"},
		"never sent": {
			stream: sent(there, "a"), want: "never sent",
			s: session{events: heard(1, 2), whole: begun},
		},
		"a hole": {
			stream: sent(there, "aaa"), want: "nothing tells",
			s: session{events: heard(1, 3), whole: begun},
		},
		"a hole, told":   {stream: sent(there, "aaa"), s: session{events: heard(1, -1, 3), whole: begun}, missed: 1},
		"told behind it": {stream: sent(there, "aaa"), s: session{events: heard(1, 3, -1), whole: begun}, missed: 1},
		"told before": {
			stream: sent(there, "aaa"), want: "nothing tells",
			s: session{events: heard(-1, 1, 3), whole: begun},
		},
		"told too late": {
			stream: sent(there, "aaa"), want: "nothing tells",
			s: session{whole: begun, events: []event{{0, 1, 0}, {0, 3, time.Second}, {gap, 0, time.Second + 2*toldWithin}}},
		},
		"no answer": {stream: sent(there, "a?a"), s: session{events: heard(1, 3), whole: begun}},
		"the first": {
			stream: sent(there, "aa"), want: "nothing tells",
			s: session{events: heard(2), whole: begun},
		},
		"before it joined": {stream: sent(there, "aa"), s: session{events: heard(2), whole: []int{1}}},
		"not whole yet":    {stream: sent(there, "aa"), s: session{events: heard(2), own: begun}},
		"own hole": {
			stream: sent(here, "aaa"), want: "at one node",
			s: session{events: heard(1, -1, 3), own: begun},
		},
		"the end": {
			stream: sent(there, "aaa"), want: "from 2 on", tail: 2,
			s: session{events: heard(1), whole: begun},
		},
		"the end, its own node's": {
			stream: sent(here, "aaa"), want: "from 2 on", tail: 2,
			s: session{events: heard(1), own: begun},
		},
		"the end, told":  {stream: sent(there, "aaa"), s: session{events: heard(1, -1), whole: begun}, missed: 2},
		"nothing at all": {stream: sent(there, "a"), s: session{whole: begun}, want: "from 1 on", tail: 1},
		"ended": {
			stream: sent(there, "aaa"),
			s:      session{events: heard(1), whole: begun, ended: true, code: -1},
		},
		"drained": {
			stream: sent(here, "aaa"), s: session{events: heard(1), own: begun, ended: true, code: 1001},
			want: "at one node",
		},
		"closed for a hole": {
			stream: sent(there, "aaa"), missed: 1,
			s: session{events: heard(1, 3), whole: begun, bare: true, ended: true, code: 1013},
		},
		"closed otherwise": {
			stream: sent(there, "aaa"), want: "nothing tells",
			s: session{events: heard(1, 3), whole: begun, bare: true, ended: true, code: 1008},
		},
		"envelope, 1013": {
			stream: sent(there, "a"), want: "for bare",
			s: session{events: heard(1), whole: begun, ended: true, code: 1013},
		},
		"another group": {
			stream: sent(there, "a"), want: "another group",
			s: session{events: []event{{3, 1, 0}}, own: begun},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &test.s
			s.group, s.life = "g", here
			v := s.judge([]*stream{test.stream}, false)
			found := strings.Join(v.findings, "; ")
			if test.want == "" && found != "" || !strings.Contains(found, test.want) || len(v.findings) > 1 {
				t.Errorf("found %q, want %q", found, test.want)
			}
			if v.missed != test.missed || v.tail != test.tail {
				t.Errorf("%d missed and %d to come, want %d and %d", v.missed, v.tail, test.missed, test.tail)
			}
		})
	}
}

// TestKilled: what a killed node had acknowledged and not sent is counted, a hole before is not excused.
func TestKilled(t *testing.T) {
	from := sent(2, "aaaa")
	from.killed = true
	s := &session{group: "g", life: 1, whole: []int{0}, events: heard(1, 3)}
	v := s.judge([]*stream{from}, false)
	if v.withNode != 1 || len(v.findings) != 1 {
		t.Errorf("%d with the node, %q", v.withNode, v.findings)
	}
}

// TestTexts: a message says of which stream it is, and its number there.
func TestTexts(t *testing.T) {
	if stream, number, err := readText(text(12, 345, 3)); stream != 12 || number != 345 || err != nil {
		t.Errorf("%d, %d, %v", stream, number, err)
	}
	for _, s := range []string{"", "1", "1 1", "1 x ", "x 1 ", `{"cmd":"ack"}`} {
		if _, _, err := readText(s); err == nil {
			t.Errorf("%q was read", s)
		}
	}
}

// TestScenariosAreWhole: each has a name of its own, says what it does, and ends.
func TestScenariosAreWhole(t *testing.T) {
	var names []string
	for _, s := range scenarios {
		if s.name == "" || s.does == "" || s.bound == 0 || s.do == nil || slices.Contains(names, s.name) {
			t.Errorf("%q is not whole, or comes twice", s.name)
		}
		names = append(names, s.name)
		if find(s.name) != s {
			t.Errorf("%q is not found", s.name)
		}
	}
}

// TestTake: acks, notices and messages of both forms are told apart.
func TestTake(t *testing.T) {
	b := &book{began: time.Now()}
	from := b.newStream("g", "p", 1)
	from.begin()
	s := &session{}
	for text, whole := range map[string]bool{
		`{"cmd":"ack","req_id":1,"cluster":false}`: false, `{"type":"ack","req_id":1}`: true, `{"cmd":"ack","req_id":1}`: true,
		"0 1 ": false, `{"type":"message","group_id":"g","message":"0 1 "}`: false, "x": false,
		`{"type":"gap","group_id":"g","missed":"unknown"}`: false,
	} {
		if got := s.take(text, b); got != whole {
			t.Errorf("%s: %v", text, got)
		}
	}
	if !slices.Equal(s.own, []int{1}) || !slices.Equal(s.whole, []int{1}) || len(s.events) != 3 || s.strange != 1 {
		t.Errorf("%v, %v, %v, %d", s.own, s.whole, s.events, s.strange)
	}
}
