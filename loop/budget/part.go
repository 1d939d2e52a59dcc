package budget

import "iter"

// Part is one of the things that memory is used for.
type Part int

// The parts; doc.go says what is in them.
const (
	Backlogs Part = iota
	Halves
	TLS
	Rings
	Sessions
	Kernel
	Channel
	API
	Bus
	Other
	parts
)

var partNames = [parts]string{
	"backlogs", "halves", "tls", "rings", "sessions", "kernel", "channel", "api", "bus", "other",
}

func (p Part) String() string { return partNames[p] }

// Bytes are bytes by part.
type Bytes [parts]uint64

// add adds what may be less than nothing for a moment: counters of several goroutines are
// not read at one time.
func (b *Bytes) add(p Part, n int64) { b[p] = uint64(max(0, int64(b[p])+n)) }

// Sum is all of them together.
func (b Bytes) Sum() (n int64) {
	for _, one := range b {
		n += int64(one)
	}
	return n
}

// inGo is all but what the kernel has: what a garbage collection could find.
func (b Bytes) inGo() int64 { return b.Sum() - int64(b[Kernel]) - int64(b[Other]) }

// All are the bytes by the names of their parts.
func (b Bytes) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i, n := range b {
			if !yield(partNames[i], n) {
				return
			}
		}
	}
}
