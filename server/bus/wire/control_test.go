package wire

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"groupcast/protocol/subject"
)

// samples are what testdata/control has, one of each kind.
func samples() map[string]Control {
	of := func(c Control) Control {
		c.Version, c.Node, c.Epoch = 1, "web-1", 0x00c0ffee12345678
		return c
	}
	all := map[string]Control{
		"heartbeat": of(Control{Heartbeat: &Heartbeat{
			3, 12345, 1234, "v1.2.0", []int{1}, "web-1.example", 4711, 1000, 17, 0.0125, true, true, 2, 17,
		}}),
		"marker": of(Control{Marker: &Marker{7}}),
		"marked": of(Control{Marked: &Marked{7, 12345, 40}}),
		"notice": of(Control{Notice: &Notice{
			Nobody: true, After: 40, Upto: 43, Place: 44, Lost: []Entry{{Hash("123"), 42}, {Hash("room:1"), 43}},
		}}),
		"range":   of(Control{Range: &Range{8, 40, 43}}),
		"ranged":  of(Control{Ranged: &Ranged{8, false, []uint64{Hash("123"), Hash("room:1")}, 50, true}}),
		"who":     of(Control{Who: &Who{}}),
		"here":    of(Control{Here: &Here{"web-1.example", 4711, 3}}),
		"watch":   of(Control{Watch: &Watch{[]string{"room:1", "Küche 7"}, 60}}),
		"counts":  of(Control{Counts: &Counts{map[string]int{"room:1": 12, "Küche 7": 0}}}),
		"members": of(Control{Members: &Members{9, "Küche 7", "web-1.00c0ffee.0-1f-3", 100}}),
		"members_answer": of(Control{MembersAnswer: &MembersAnswer{
			9, 40, []Member{{"web-1.00c0ffee.0-20-1", "7"}, {"web-1.00c0ffee.1-0-1", ""}}, "web-1.00c0ffee.1-0-1", true,
		}}),
		"remove":  of(Control{Remove: &Remove{ID: 9, User: "Küche 7", Code: 4001, Reason: "bye"}}),
		"removed": of(Control{Removed: &Removed{9, 12, true}}),
	}
	for name, c := range all {
		c.Type = name
		all[name] = c
	}
	return all
}

func controlFile(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/control", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.TrimSuffix(data, []byte("\n"))
}

// TestGoldenControl holds what is written to the files' bytes: nodes of other versions read them.
func TestGoldenControl(t *testing.T) {
	all := samples()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			c, ok := all[k.name]
			if !ok {
				t.Fatal("no sample")
			}
			data := controlFile(t, k.name)
			got, b := ReadControl(data)
			if b != nil || !reflect.DeepEqual(got, c) {
				t.Errorf("read %+v, %v, want %+v", got, b, c)
			}
			written, err := c.Append([]byte("before"))
			if err != nil || string(written) != "before"+string(data) {
				t.Errorf("written %s, %v, want %s", written, err, data)
			}
			c.Type = "" // may be left out
			if again, err := c.Append(nil); err != nil || !bytes.Equal(again, data) {
				t.Errorf("without a type %s, %v", again, err)
			}
		})
	}
	files, err := filepath.Glob("testdata/control/*.json")
	if err != nil || len(files) != len(kinds) {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestLaterFields(t *testing.T) {
	const head = `{"v":1,"type":"heartbeat","node":"a","epoch":"0000000000000001","lag":0.5,"watched":{`
	var names []string
	for i := range 1024 {
		names = append(names, fmt.Sprintf(`"%s%d":%d`, strings.Repeat("n", 256), i, i))
	}
	c, b := ReadControl([]byte(head + strings.Join(names, ",") + `},"reads":[1,2]}`))
	if b != nil || !reflect.DeepEqual(c.Heartbeat, &Heartbeat{Lag: 0.5, Reads: []int{1, 2}}) {
		t.Errorf("%+v, %+v", c.Heartbeat, b)
	}
}

func TestBadControl(t *testing.T) {
	const head = `"node":"a","epoch":"0000000000000001"`
	long := strings.Repeat("x", 70_000)
	for _, c := range []struct {
		name, data string
		reason     Reason
		err        string // how it begins
	}{
		{"nothing", ``, ReasonControl, "control: want a JSON object: "},
		{"cut off", `{"v":1,"type":"who",` + head, ReasonControl, "control: want a JSON object: "},
		{"two", `{"v":1,"type":"who",` + head + `} {}`, ReasonControl, "control: want a JSON object: "},
		{"an array", `[]`, ReasonControl, "control: want a JSON object: "},
		{"null", `null`, ReasonControl, "control: v: want 1: got none"},
		{"no version", `{"type":"who",` + head + `}`, ReasonControl, "control: v: want 1: got none"},
		{"version as text", `{"v":"1","type":"who",` + head + `}`, ReasonControl, "control: want a JSON object: "},
		{"version 2", `{"v":2,"type":"who",` + head + `}`, ReasonVersion, "control: v: want 1: got 2"},
		{"version 2 of another form", `{"type":{},"node":[],"v":2}`, ReasonVersion, "control: v: want 1: got 2"},
		{"version 2, cut off", `{"v":2,"type":"who",` + head, ReasonControl, "control: want a JSON object: "},
		{"version 2, two", `{"v":2,"type":"who",` + head + `} {}`, ReasonControl, "control: want a JSON object: "},
		{"unknown type", `{"v":1,"type":"gossip",` + head + `}`, ReasonControl, `control: type: want one that version 1 has: got "gossip"`},
		{"no type", `{"v":1,` + head + `}`, ReasonControl, `control: type: want one that version 1 has: got ""`},
		{"no node", `{"v":1,"type":"who","epoch":"0000000000000001"}`, ReasonControl, `control: node: want a node's name: got ""`},
		{"all", `{"v":1,"type":"who","node":"all","epoch":"0000000000000001"}`, ReasonControl, `control: node: want a node's name: got "all"`},
		{"epoch as a number", `{"v":1,"type":"who","node":"a","epoch":1}`, ReasonControl, "control: want a JSON object: "},
		{"epoch 0", `{"v":1,"type":"who","node":"a","epoch":"0000000000000000"}`, ReasonControl, "control: epoch: want 16 hexadecimal digits: "},
		{"short epoch", `{"v":1,"type":"who","node":"a","epoch":"1"}`, ReasonControl, `control: epoch: want 16 hexadecimal digits: got "1"`},
		{"not UTF-8", `{"v":1,"type":"who",` + head + `,"x":"` + "\xff" + `"}`, ReasonUTF8, "control: want UTF-8"},
		{"too large for its kind", `{"v":1,"type":"marker",` + head + `,"x":"` + long + `"}`, ReasonTooLarge, "marker: want 65536 bytes at most: got 70"},
		{
			"too large for any", strings.Repeat(" ", MaxListBytes+1), ReasonTooLarge,
			"control: want 1048576 bytes at most: got 1048577",
		},
		{"negative", `{"v":1,"type":"marker",` + head + `,"id":-1}`, ReasonControl, "marker: json: "},
		{"a long number", `{"v":1,"type":"marker",` + head + `,"id":1` + strings.Repeat("0", 50_000) + `}`, ReasonControl, "marker: json: "},
		{"sessions", `{"v":1,"type":"heartbeat",` + head + `,"sessions":-1}`, ReasonControl, "heartbeat: sessions, groups: want 0 or more: got -1, 0"},
		{"groups", `{"v":1,"type":"heartbeat",` + head + `,"groups":-1}`, ReasonControl, "heartbeat: sessions, groups: want 0 or more: got 0, -1"},
		{"lag", `{"v":1,"type":"heartbeat",` + head + `,"lag":-0.1}`, ReasonControl, "heartbeat: lag: want seconds: got -0.1"},
		{"pid", `{"v":1,"type":"here",` + head + `,"pid":-1}`, ReasonControl, "here: pid: want 0 or more: got -1"},
		{"host", `{"v":1,"type":"here",` + head + `,"host":"` + long[:256] + `"}`, ReasonControl, "here: host: want UTF-8 of 255 bytes at most: got 256 bytes"},
		{"heartbeat's host", `{"v":1,"type":"heartbeat",` + head + `,"host":"` + long[:256] + `"}`, ReasonControl, "heartbeat: host: "},
		{"program", `{"v":1,"type":"heartbeat",` + head + `,"program":"` + long[:129] + `"}`, ReasonControl, "heartbeat: program: want UTF-8 of 128 bytes at most"},
		{"reads", `{"v":1,"type":"heartbeat",` + head + `,"reads":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}`, ReasonControl, "heartbeat: reads: want 16 versions at most: got 17"},
		{"list", `{"v":1,"type":"notice",` + head + `,"lost":"AAAA"}`, ReasonControl, "notice: want a list as base64"},
		{"list with more behind it", `{"v":1,"type":"notice",` + head + `,"lost":"AAAAAAAAAAAAAAAAAAAAAA==!"}`, ReasonControl, "notice: want a list as base64"},
		{"hashes with more behind them", `{"v":1,"type":"ranged",` + head + `,"hashes":"AAAAAAAAAAA=!"}`, ReasonControl, "ranged: want a list as base64"},
		{"list without padding", `{"v":1,"type":"ranged",` + head + `,"hashes":"AAAAAAAAAAA"}`, ReasonControl, "ranged: want a list as base64"},
		{"list and all", `{"v":1,"type":"ranged",` + head + `,"all":true,"hashes":"AAAAAAAAAAA="}`, ReasonControl, "ranged: hashes: want no list where all is true: got 1"},
		{"all and more", `{"v":1,"type":"ranged",` + head + `,"all":true,"more":true}`, ReasonControl, "ranged: more: want no other part"},
		{"order of places", `{"v":1,"type":"range",` + head + `,"after":2,"upto":1}`, ReasonControl, "range: after, upto: want them in this order: got 2, 1"},
		{"order of a notice's", `{"v":1,"type":"notice",` + head + `,"after":2,"upto":1}`, ReasonControl, "notice: after, upto: "},
		{"no group", `{"v":1,"type":"members",` + head + `,"limit":1}`, ReasonControl, "members: group: want a name: got none"},
		{"group", `{"v":1,"type":"members",` + head + `,"limit":1,"group":"` + long[:257] + `"}`, ReasonControl, "members: group: want UTF-8 of 256 bytes at most: got 257 bytes"},
		{"limit", `{"v":1,"type":"members",` + head + `,"limit":1001,"group":"a"}`, ReasonControl, "members: limit: want 0 to 1000: got 1001"},
		{"negative limit", `{"v":1,"type":"members",` + head + `,"limit":-1,"group":"a"}`, ReasonControl, "members: limit: want 0 to 1000: got -1"},
		{"after", `{"v":1,"type":"members",` + head + `,"limit":1,"group":"a","after":"x"}`, ReasonControl, `members: after: want a session's id: got "x"`},
		{"removed nothing", `{"v":1,"type":"remove",` + head + `,"id":1,"code":1008}`, ReasonControl, "remove: want a session, a user or a group: got none, or several"},
		{"removed two", `{"v":1,"type":"remove",` + head + `,"user":"7","group":"g","code":1008}`, ReasonControl, "remove: want a session, a user or a group: got none, or several"},
		{"removed code", `{"v":1,"type":"remove",` + head + `,"user":"7","code":1006}`, ReasonControl, "remove: code, reason: a close has "},
		{"removed without a code", `{"v":1,"type":"remove",` + head + `,"session":"a.00c0ffee.0-1f-3"}`, ReasonControl, "remove: code, reason: a close has "},
		{"removed reason", `{"v":1,"type":"remove",` + head + `,"user":"7","code":1008,"reason":"` + long[:124] + `"}`, ReasonControl, "remove: code, reason: a close has "},
		{"removed session", `{"v":1,"type":"remove",` + head + `,"session":"x","code":1008}`, ReasonControl, `remove: session: want a session's id: got "x"`},
		{"removed user", `{"v":1,"type":"remove",` + head + `,"user":"` + long[:257] + `","code":1008}`, ReasonControl, "remove: user: "},
		{"removed group", `{"v":1,"type":"remove",` + head + `,"group":"` + long[:257] + `"}`, ReasonControl, "remove: group: "},
		{"removed count", `{"v":1,"type":"removed",` + head + `,"count":-1}`, ReasonControl, "removed: count: want 0 or more: got -1"},
		{"next", `{"v":1,"type":"members_answer",` + head + `,"next":"x"}`, ReasonControl, `members_answer: next: want a session's id: got "x"`},
		{"total", `{"v":1,"type":"members_answer",` + head + `,"total":-1}`, ReasonControl, "members_answer: total: want 0 or more: got -1"},
		{"member", `{"v":1,"type":"members_answer",` + head + `,"list":[{"user":"7"}]}`, ReasonControl, "members_answer: session: want an id: got none"},
		{"member's session", `{"v":1,"type":"members_answer",` + head + `,"list":[{"session":"7"}]}`, ReasonControl, `members_answer: session: want a session's id: got "7"`},
		{"member's user", `{"v":1,"type":"members_answer",` + head + `,"list":[{"session":"0-1-1","user":"` + long[:257] + `"}]}`, ReasonControl, "members_answer: user: "},
		{"members", `{"v":1,"type":"members_answer",` + head + `,"list":[` + strings.Repeat(`{"session":"0-1-1"},`, 1000) + `{"session":"0-1-1"}]}`, ReasonControl, "members_answer: list: want 1000 members at most: got 1001"},
		{"watched", `{"v":1,"type":"watch",` + head + `,"seconds":1,"groups":[` + strings.Repeat(`"a",`, 1024) + `"a"]}`, ReasonControl, "watch: groups: want 1024 at most: got 1025"},
		{"watched name", `{"v":1,"type":"watch",` + head + `,"seconds":1,"groups":["` + long[:257] + `"]}`, ReasonControl, "watch: groups: want UTF-8 of 256 bytes at most: got 257 bytes"},
		{"no seconds", `{"v":1,"type":"watch",` + head + `}`, ReasonControl, "watch: seconds: want 1 to 3600: got 0"},
		{"seconds", `{"v":1,"type":"watch",` + head + `,"seconds":3601}`, ReasonControl, "watch: seconds: want 1 to 3600: got 3601"},
		{"counts", `{"v":1,"type":"counts",` + head + `,"counts":{` + countsOf(1025) + `}}`, ReasonControl, "counts: counts: want 1024 groups at most: got 1025"},
		{"count's name", `{"v":1,"type":"counts",` + head + `,"counts":{"` + long[:257] + `":1}}`, ReasonControl, "counts: counts: want UTF-8 of 256 bytes at most: got 257 bytes"},
		{"negative count", `{"v":1,"type":"counts",` + head + `,"counts":{"a":-1}}`, ReasonControl, "counts: counts: want 0 members or more: got -1"},
	} {
		got, b := ReadControl([]byte(c.data))
		if b == nil || b.Reason != c.reason || !strings.HasPrefix(b.Err, c.err) || len(b.Err) > 300 {
			t.Errorf("%s: %+v", c.name, b)
		}
		if got != (Control{}) {
			t.Errorf("%s: half understood: %+v", c.name, got)
		}
	}
}

// countsOf are the counts of n groups as JSON.
func countsOf(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"%d":0`, i)
	}
	return strings.Join(list, ",")
}

// What is as large as it may be is read, and one more is refused: TestBadControl has that.
func TestControlAtItsLimits(t *testing.T) {
	const head = `"node":"a","epoch":"0000000000000001"`
	padded := func(begin string, size int) string {
		begin = `{"v":1,"type":` + begin + `,` + head + `,"x":"`
		return begin + strings.Repeat("x", size-len(begin)-len(`"}`)) + `"}`
	}
	for name, data := range map[string]string{
		"a marker's bytes": padded(`"marker","id":1`, MaxControlBytes),
		"a list's bytes":   padded(`"notice"`, MaxListBytes),
		"no limit":         `{"v":1,"type":"members",` + head + `,"group":"a","limit":0}`,
		"the limit":        `{"v":1,"type":"members",` + head + `,"group":"a","limit":1000}`,
		"watched":          `{"v":1,"type":"watch",` + head + `,"seconds":1,"groups":["a"` + strings.Repeat(`,"a"`, 1023) + `]}`,
		"seconds":          `{"v":1,"type":"watch",` + head + `,"seconds":3600,"groups":[]}`,
		"counts":           `{"v":1,"type":"counts",` + head + `,"counts":{` + countsOf(1024) + `}}`,
	} {
		if _, b := ReadControl([]byte(data)); b != nil {
			t.Errorf("%s: %+v", name, b)
		}
	}
	if _, b := ReadControl([]byte(padded(`"marker","id":1`, MaxControlBytes+1))); b == nil || b.Reason != ReasonTooLarge {
		t.Errorf("a byte more than a marker's: %+v", b)
	}
}

// The limit on what is written is that on what is read, wherever it is appended to.
func TestAppendAtItsLimit(t *testing.T) {
	c := samples()["watch"]
	sized := func(bytes int) Control {
		c.Watch = &Watch{Groups: []string{""}, Seconds: 1}
		data, err := c.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		// A name of 256 bytes of which JSON makes six each, and a last one that is as long as it has to be.
		full := strings.Repeat("\x01", subject.MaxNameBytes)
		rest := bytes - len(data)
		for ; rest >= 6*len(full)+len(`"",`)+2*len(full); rest -= 6*len(full) + len(`"",`) {
			c.Watch.Groups = append(c.Watch.Groups, full)
		}
		for rest > 0 {
			rest -= len(`"",`)
			n := min(rest, subject.MaxNameBytes)
			if left := rest - n; left > 0 && left < len(`"",`) {
				n -= len(`"",`)
			}
			c.Watch.Groups = append(c.Watch.Groups, strings.Repeat("x", n))
			rest -= n
		}
		return c
	}
	for _, before := range []string{"", "before"} {
		most := sized(MaxListBytes)
		data, err := most.Append([]byte(before))
		if err != nil || len(data) != len(before)+MaxListBytes {
			t.Errorf("behind %q: %d bytes, %v", before, len(data), err)
		}
		more := sized(MaxListBytes + 1)
		if data, err = more.Append([]byte(before)); err == nil || string(data) != before {
			t.Errorf("behind %q, a byte more: %d bytes, %v", before, len(data), err)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	good := samples()
	change := func(name string, how func(*Control)) Control {
		c := good[name]
		how(&c)
		return c
	}
	late := func(seconds float64) Control {
		return change("heartbeat", func(c *Control) { c.Heartbeat = &Heartbeat{Lag: seconds} })
	}
	for want, c := range map[string]Control{
		"control: want one kind: got none":               {Node: "a", Epoch: 1},
		"control: want one kind: got marker and who":     change("who", func(c *Control) { c.Marker = &Marker{} }),
		`control: type: want who: got "here"`:            change("who", func(c *Control) { c.Type = "here" }),
		`who: want a node's name and epoch: got "all"`:   change("who", func(c *Control) { c.Node = "all" }),
		`who: want a node's name and epoch: got "web-1"`: change("who", func(c *Control) { c.Epoch = 0 }),
		"here: host: want UTF-8":                         change("here", func(c *Control) { c.Here = &Here{Host: "\xff"} }),
		"heartbeat: lag: want seconds: got NaN":          late(math.NaN()),
		"heartbeat: lag: want seconds: got +Inf":         late(math.Inf(1)),
		"notice: lost: want 32768 groups at most: got 32769": change("notice", func(c *Control) {
			c.Notice = &Notice{Lost: make(Entries, MaxEntries+1)}
		}),
		"ranged: hashes: want 65536 groups at most: got 65537": change("ranged", func(c *Control) {
			c.Ranged = &Ranged{Hashes: make(Hashes, MaxHashes+1)}
		}),
		"members_answer: want 1048576 bytes at most: got ": change("members_answer", func(c *Control) {
			c.MembersAnswer = &MembersAnswer{List: hardMembers(MaxMembers)}
		}),
	} {
		got, err := c.Append([]byte("before"))
		if err == nil || !strings.HasPrefix(err.Error(), want) || string(got) != "before" {
			t.Errorf("%s: %q, %v", want, got, err)
		}
	}
}

// hardMembers have names that take the most bytes as JSON.
func hardMembers(n int) []Member {
	list := make([]Member, n)
	for i := range list {
		list[i] = Member{SessionText(strings.Repeat("n", 32), 1<<63, "255-ffffffff-ffffffff"), strings.Repeat("\x01", 256)}
	}
	return list
}

// anyControl draws a message of any kind as ReadControl makes it.
func anyControl(t *rapid.T) Control {
	c := Control{
		Version: 1,
		Node:    rapid.StringMatching(`[A-Za-z0-9_-]{1,32}`).Filter(ValidNode).Draw(t, "node"),
		Epoch:   rapid.Uint64Min(1).Draw(t, "epoch"),
	}
	number := func() uint64 { return rapid.Uint64().Draw(t, "number") }
	count := func() int { return rapid.IntMin(0).Draw(t, "count") }
	some := func(maxBytes int) string { return rapid.StringN(0, -1, maxBytes).Draw(t, "text") }
	flag := func() bool { return rapid.Bool().Draw(t, "flag") }
	session := func() string {
		return rapid.SampledFrom([]string{"0-1f-3", "web-1.00c0ffee.0-1f-3"}).Draw(t, "session")
	}
	after := number()
	upto := after + min(number(), math.MaxUint64-after)
	k := rapid.SampledFrom(kinds[:]).Draw(t, "kind")
	c.Type = k.name
	switch b := k.make(&c).(type) {
	case *Heartbeat:
		*b = Heartbeat{
			number(), number(), number(), some(MaxProgramBytes), nil, some(MaxHostBytes), count(), count(), count(),
			rapid.Float64Range(0, math.MaxFloat64).Draw(t, "lag"), flag(), flag(), number(), number(),
		}
		b.Reads = append(b.Reads, rapid.SliceOfN(rapid.Int(), 0, MaxReads).Draw(t, "reads")...)
	case *Marker:
		b.ID = number()
	case *Marked:
		*b = Marked{number(), number(), number()}
	case *Notice:
		*b = Notice{flag(), flag(), after, upto, number(), nil}
		if !b.All {
			b.Lost = append(b.Lost, rapid.SliceOfN(rapid.Make[Entry](), 0, 30).Draw(t, "lost")...)
		}
	case *Range:
		*b = Range{number(), after, upto}
	case *Ranged:
		if *b = (Ranged{number(), flag(), nil, number(), false}); !b.All {
			b.Hashes = append(b.Hashes, rapid.SliceOfN(rapid.Uint64(), 0, 30).Draw(t, "hashes")...)
			b.More = flag()
		}
	case *Who:
	case *Here:
		*b = Here{some(MaxHostBytes), count(), number()}
	case *Members:
		group := rapid.StringN(1, -1, subject.MaxNameBytes).Draw(t, "group")
		*b = Members{number(), group, session(), count() % (MaxMembers + 1)}
	case *MembersAnswer:
		*b = MembersAnswer{number(), count(), nil, session(), flag()}
		for range rapid.IntRange(0, 20).Draw(t, "members") {
			b.List = append(b.List, Member{session(), some(MaxUserBytes)})
		}
	case *Watch:
		*b = Watch{nil, rapid.IntRange(1, 3600).Draw(t, "seconds")}
		b.Groups = append([]string{}, rapid.SliceOfN(rapid.StringN(1, -1, subject.MaxNameBytes), 0, 20).Draw(t, "groups")...)
	case *Counts:
		*b = Counts{rapid.MapOfN(rapid.StringN(1, -1, subject.MaxNameBytes), rapid.IntMin(0), 0, 20).Draw(t, "counts")}
	case *Remove:
		*b = Remove{ID: number(), Code: 1008, Reason: some(123)}
		switch target := rapid.StringN(1, -1, MaxUserBytes).Draw(t, "target"); rapid.IntRange(0, 2).Draw(t, "what") {
		case 0:
			b.Session = session()
		case 1:
			b.User = target
		default:
			b.Group = target
		}
	case *Removed:
		*b = Removed{number(), count(), flag()}
	default:
		t.Fatalf("no generator for %s", k.name)
	}
	return c
}

func TestControlRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyControl(t)
		data, err := c.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, b := ReadControl(data); b != nil || !reflect.DeepEqual(got, c) {
			t.Fatalf("%s: %+v, %v", data, got, b)
		}
	})
}

// FuzzControl: what is read is written, and that is read as the same.
func FuzzControl(f *testing.F) {
	for _, k := range kinds {
		f.Add(controlFile(f, k.name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		c, b := ReadControl(data)
		if !bytes.Equal(before, data) {
			t.Fatal("the input was written to")
		}
		if b != nil {
			if b.Reason >= Reasons || b.Err == "" || len(b.Err) > 500 || !utf8.ValidString(b.Err) || c != (Control{}) {
				t.Errorf("%+v, %+v", c, b)
			}
			return
		}
		if !ValidNode(c.Node) || c.Epoch == 0 || c.Version != 1 || !utf8.ValidString(c.Type) {
			t.Errorf("%+v", c)
		}
		// JSON may be written longer than it came: that is no mistake.
		written, err := c.Append(nil)
		if err != nil {
			if !strings.Contains(err.Error(), "bytes at most: got") || len(data) < MaxControlBytes/8 {
				t.Errorf("%s: %v", data, err)
			}
			return
		}
		if again, b := ReadControl(written); b != nil || !sameControl(again, c) {
			t.Errorf("%s, which is written %s: %+v, %v", data, written, again, b)
		}
	})
}

// sameControl takes a list that is empty for one that is not there.
func sameControl(a, b Control) bool {
	for _, c := range []*Control{&a, &b} {
		if h := c.Heartbeat; h != nil && len(h.Reads) == 0 {
			h.Reads = nil
		}
		if m := c.MembersAnswer; m != nil && len(m.List) == 0 {
			m.List = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

func BenchmarkReadControl(b *testing.B) {
	notice := Control{Node: "a", Epoch: 1, Notice: &Notice{Lost: make(Entries, MaxEntries)}}
	long, err := notice.Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, data := range map[string][]byte{"heartbeat": controlFile(b, "heartbeat"), "longest-notice": long} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, bad := ReadControl(data); bad != nil {
					b.Fatal(bad)
				}
			}
		})
	}
}

// TestNoTimeIsTold: nodes say nothing of their clocks, so that no node can compare one with its own: they may be
// an hour apart.
func TestNoTimeIsTold(t *testing.T) {
	var look func(path string, kind reflect.Type)
	look = func(path string, kind reflect.Type) {
		if kind == reflect.TypeFor[time.Time]() || kind == reflect.TypeFor[time.Duration]() {
			t.Errorf("%s is a time", path)
			return
		}
		for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice || kind.Kind() == reflect.Map {
			kind = kind.Elem()
		}
		if kind.Kind() != reflect.Struct {
			return
		}
		for field := range kind.Fields() {
			name := path + "." + field.Name
			if strings.Contains(strings.ToLower(name), "time") || strings.HasSuffix(name, "At") {
				t.Errorf("%s is called as a time is", name)
			}
			look(name, field.Type)
		}
	}
	look("Control", reflect.TypeFor[Control]())
}
