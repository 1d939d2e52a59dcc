package wire

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"

	"groupcast/loop"
)

// A page of members is as long as a message may be, and says where it goes on.
func TestCutMembers(t *testing.T) {
	hard, plain := hardMembers(MaxMembers), make([]Member, MaxMembers)
	for i := range plain {
		plain[i] = Member{hard[0].Session, "01890a5d-ac96-774b-bcce-b302099a8057"}
	}
	for _, test := range []struct {
		list     []Member
		maxBytes int
		atLeast  int
	}{
		{hard, MaxListBytes, 500},
		{hard, 64 << 10, 30},
		{hard, 4 << 10, 1},
		{hard, 0, 1},
		{hard[:1], 100, 1},
		{plain, MaxListBytes, MaxMembers},
		{plain, 8 << 10, 20},
		{plain[:3], MaxListBytes, 3},
		{nil, 0, 0},
	} {
		answer := MembersAnswer{ID: 1<<64 - 1, Total: math.MaxInt, List: test.list, Next: hard[0].Session}
		all := Control{MembersAnswer: &answer}.Split(test.maxBytes)
		if len(all) != 1 {
			t.Fatalf("%d answers", len(all))
		}
		got := through(t, all[0], max(test.maxBytes, 4<<10)).MembersAnswer
		n := len(got.List)
		if n < test.atLeast || n < len(test.list) && got.Next != test.list[n-1].Session {
			t.Errorf("%d members in %d bytes: %d, next %q", len(test.list), test.maxBytes, n, got.Next)
		}
	}
	for bytes := 0; bytes <= MaxUserBytes; bytes += 15 { // of which some come close to the limit
		for i := range hard {
			hard[i].User = strings.Repeat("\x01", bytes)
		}
		answer := MembersAnswer{ID: 1<<64 - 1, Total: math.MaxInt, List: hard, Next: hard[0].Session}
		part := Control{Node: "n", Epoch: 1, MembersAnswer: &answer}.Split(MaxListBytes)[0]
		if _, err := part.Append(nil); err != nil {
			t.Errorf("users of %d bytes: %v", bytes, err)
		}
	}
	if MaxUserBytes != loop.MaxUserBytes {
		t.Error("the engine's users")
	}
}

func TestSplit(t *testing.T) {
	for _, n := range []int{0, 1, MaxEntries, MaxEntries + 1, 3*MaxEntries - 1, 3 * MaxEntries} {
		testSplit(t, MaxListBytes, n)
	}
	testSplit(t, 1<<30, 3*MaxEntries)
	testSplit(t, 64<<10, 10_000)
	testSplit(t, 1<<10, 100)
	if all := (Control{Notice: &Notice{All: true}}).Split(0); len(all) != 1 || !all[0].Notice.All {
		t.Errorf("all: %+v", all)
	}
	if all := (Control{Notice: &Notice{Lost: make(Entries, 3)}}).Split(0); len(all) != 3 {
		t.Errorf("no room: %d", len(all))
	}
	if c := (Control{Marker: &Marker{}}); !reflect.DeepEqual(c.Split(0), []Control{c}) {
		t.Error("a marker")
	}
}

func testSplit(t *testing.T, maxBytes, n int) {
	t.Helper()
	notice := Notice{Nobody: true, After: 1, Upto: 1 << 63}
	ranged := Ranged{ID: 5, Place: 9}
	for i := range n {
		notice.Lost = append(notice.Lost, Entry{1<<64 - 1 - uint64(i), 1<<64 - 1})
		ranged.Hashes = append(ranged.Hashes, uint64(i), 1<<64-1)
	}
	var lost Entries
	for _, part := range (Control{Notice: &notice}).Split(maxBytes) {
		got := through(t, part, maxBytes).Notice
		lost = append(lost, got.Lost...)
		if !got.Nobody || got.After != 1 || got.Upto != 1<<63 {
			t.Fatalf("part %+v", got)
		}
	}
	var hashes Hashes
	all := Control{Ranged: &ranged}.Split(maxBytes)
	for i, part := range all {
		got := through(t, part, maxBytes).Ranged
		hashes = append(hashes, got.Hashes...)
		if got.ID != 5 || got.Place != 9 || got.More != (i < len(all)-1) {
			t.Fatalf("part %d: %d %d %v", i, got.ID, got.Place, got.More)
		}
	}
	if !reflect.DeepEqual(lost, notice.Lost) || !reflect.DeepEqual(hashes, ranged.Hashes) {
		t.Errorf("of %d in %d bytes: %d entries, %d hashes", n, maxBytes, len(lost), len(hashes))
	}
}

// Names as long as they may be, of bytes that JSON escapes: as many groups as a node counts are more than one
// message takes.
func TestSplitWatched(t *testing.T) {
	watch, counts := Watch{Seconds: 60}, Counts{map[string]int{}}
	for i := range MaxWatched {
		name := fmt.Sprintf("%04d%s", i, strings.Repeat("\x01", 252))
		watch.Groups, counts.Counts[name] = append(watch.Groups, name), i
	}
	for _, maxBytes := range []int{MaxListBytes, 8 << 10} {
		var groups []string
		for _, part := range (Control{Watch: &watch}).Split(maxBytes) {
			got := through(t, part, maxBytes).Watch
			groups = append(groups, got.Groups...)
			if got.Seconds != 60 {
				t.Fatalf("%d seconds", got.Seconds)
			}
		}
		counted := make(map[string]int)
		for _, part := range (Control{Counts: &counts}).Split(maxBytes) {
			maps.Copy(counted, through(t, part, maxBytes).Counts.Counts)
		}
		if !reflect.DeepEqual(groups, watch.Groups) || !reflect.DeepEqual(counted, counts.Counts) {
			t.Errorf("in %d bytes: %d groups, %d counts", maxBytes, len(groups), len(counted))
		}
	}
}

// through writes a message that may have maxBytes, and reads it.
func through(t *testing.T, c Control, maxBytes int) Control {
	t.Helper()
	c.Node, c.Epoch = strings.Repeat("n", 32), 1<<64-1
	data, err := c.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > maxBytes {
		t.Fatalf("%d bytes, want %d at most", len(data), maxBytes)
	}
	got, b := ReadControl(data)
	if b != nil {
		t.Fatal(*b)
	}
	return got
}
