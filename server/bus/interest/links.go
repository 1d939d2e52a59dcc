package interest

// links are a group's neighbours in a list; numbers of slots, plus one.
type links struct{ previous, next uint32 }

// list is a list through the slots of the table: what is in it costs nothing more, and is
// taken out wherever it stands.
type list struct {
	which       listName
	first, last uint32 // slot, plus one; 0: none
	n           int
}

// listName says which of a group's links are meant.
type listName uint8

const (
	inLingering listName = iota
	inWaiting
	lists
)

// push puts a group at the end, unless it is in the list.
func (l *list) push(t *table, slot uint32) {
	g := &t.groups[slot]
	if g.in[l.which] {
		return
	}
	g.in[l.which], g.links[l.which] = true, links{previous: l.last}
	if l.last != 0 {
		t.groups[l.last-1].links[l.which].next = slot + 1
	} else {
		l.first = slot + 1
	}
	l.last = slot + 1
	l.n++
}

// remove takes a group out, if it is in the list.
func (l *list) remove(t *table, slot uint32) {
	g := &t.groups[slot]
	if !g.in[l.which] {
		return
	}
	own := &g.links[l.which]
	if own.previous != 0 {
		t.groups[own.previous-1].links[l.which].next = own.next
	} else {
		l.first = own.next
	}
	if own.next != 0 {
		t.groups[own.next-1].links[l.which].previous = own.previous
	} else {
		l.last = own.previous
	}
	g.in[l.which], *own = false, links{}
	l.n--
}

// head is the first one.
func (l *list) head() (slot uint32, found bool) { return l.first - 1, l.first != 0 }
