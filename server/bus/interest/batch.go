package interest

// Batch is what the writer is to write to NATS, in the order of its fields. What it has been
// handed counts as written: should the connection end meanwhile, nats.go has noted the
// subscriptions, and makes them again by itself.
type Batch struct {
	WildcardOn  bool     // subscribe to all groups
	Subscribe   []string // to these groups
	Unsubscribe []string
	WildcardOff bool
	// Marker, if it is not 0, is the number of a marker to be published behind all that. The
	// answer comes as Marked; it may be asked for by one marker at a time only.
	Marker uint64
	// Switching and Switched mark the first and the last batch of a change between the wildcard
	// and single subjects, which may be one and the same: from before the first is written, until
	// the marker that the last one always has is answered, a message may arrive by both.
	Switching, Switched bool
}

// isEmpty reports whether there is nothing to write.
func (b *Batch) isEmpty() bool {
	return !b.WildcardOn && !b.WildcardOff && len(b.Subscribe) == 0 && len(b.Unsubscribe) == 0 && b.Marker == 0 &&
		!b.Switching && !b.Switched
}

// batch is what can be handed over now, if anything: it changes nothing.
func (t *table) batch() (b Batch, ready bool) {
	if !t.up {
		return Batch{}, false
	}
	free := t.underway == 0 && !t.paced
	b.Switching = t.switching && !t.announced
	b.WildcardOn = t.mode == widening && !t.wildcard
	b.Subscribe = t.subscribe.head(t.batchGroups)
	b.Unsubscribe = t.unsubscribe.head(t.batchGroups)
	// The last of a change waits for a marker of its own.
	b.WildcardOff = free && t.mode == single && t.wildcard
	b.Switched = b.WildcardOff || free && t.mode == wide && t.switching && len(b.Unsubscribe) == t.unsubscribe.len()
	news := b.WildcardOn || b.Switched || len(b.Subscribe) > 0
	if free && (news || t.wantsMarker() && !t.paused) {
		b.Marker = t.lastMarker + 1
	}
	return b, !b.isEmpty()
}

// wantsMarker reports whether something waits for a marker that is answered whole.
func (t *table) wantsMarker() bool {
	return !t.on || t.waiting.n > 0 || t.wildcard && !t.wildHeard || t.mode == narrowing
}

// handed notes that the writer has a batch.
func (t *table) handed(b *Batch) {
	behind := t.lastMarker + 1 // the first marker behind this batch: its own, or the next
	if b.Marker != 0 {
		t.lastMarker, t.underway, t.markedAt = b.Marker, b.Marker, t.now
	}
	if b.Switching {
		t.announced = true
	}
	if b.WildcardOn {
		t.wildcard, t.wildHeard, t.wildMarker = true, false, behind
	}
	for range b.Subscribe {
		slot := t.subscribe.pop(t)
		g := &t.groups[slot]
		g.sub, g.marker = true, behind
		t.singles++
		t.waiting.push(t, slot)
	}
	for range b.Unsubscribe {
		slot := t.unsubscribe.pop(t)
		g := &t.groups[slot]
		g.sub = false // and not heard: it is gone, or widen has said so
		t.singles--
		if g.gone {
			t.drop(slot)
		}
	}
	if b.WildcardOff {
		t.wildcard, t.wildHeard = false, false
	}
	if b.Switched {
		t.switching, t.announced = false, false
		t.switches++
	}
	if t.mode == narrowing && t.settled == 0 && t.subscribe.passed(t.edge) {
		t.settled = behind
	}
}
