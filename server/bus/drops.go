package bus

import "time"

// drops is when nats.go has dropped messages, until members are told. While more comes than can be published
// it drops again with almost each message that is taken, and to tell of each time would cost more than the
// messages do: the groups of all foreign publishers are told of a gap. So members are told at once of the first,
// and from then on of many together.
//
// What was dropped stands behind all that waited then, which is as much as may wait. Half of that may be taken
// before the places that were seen are looked at: the word of it comes a moment late.
//
// Owner: the reader's goroutine.
type drops struct {
	there bool // messages were dropped of which members were not told
	since time.Time
	rest  int // messages that are to be taken before members are told again
}

// tellDropsAfter is when members are told all the same.
const tellDropsAfter = time.Second

// note is for another time that messages were dropped.
func (d *drops) note(now time.Time) {
	if !d.there {
		d.there, d.since = true, now
	}
}

// took is for a message that was taken.
func (d *drops) took() { d.rest = max(0, d.rest-1) }

// due reports whether members have to be told before another message is taken, of the inbound that may wait. Then
// they are.
func (d *drops) due(inbound int) bool { return d.tell(d.rest == 0, inbound) }

// late reports whether they have waited for so long that they have to be told now. Then they are.
func (d *drops) late(now time.Time, inbound int) bool {
	return d.tell(now.Sub(d.since) >= tellDropsAfter, inbound)
}

func (d *drops) tell(now bool, inbound int) bool {
	if !d.there || !now {
		return false
	}
	d.there, d.rest = false, inbound/2
	return true
}
