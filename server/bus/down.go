package bus

import "fmt"

// Down is what becomes of publications while no NATS server is reachable.
type Down int

// The zero value is the default.
const (
	DownBuffer Down = iota // served here, and kept for the other nodes up to Options.BufferBytes
	DownLocal              // served here alone; the other nodes are told of a gap
	DownRefuse             // answered overloaded before they have a place in the order
)

// Downs are all of them as an operator types them, by their number.
var Downs = [...]string{DownBuffer: "buffer", DownLocal: "local", DownRefuse: "refuse"}

// ParseDown reads one as an operator types it, and reports whether it is one.
func ParseDown(text string) (d Down, ok bool) {
	for i, known := range Downs {
		if text == known {
			return Down(i), true
		}
	}
	return 0, false
}

// Known reports whether d is one of the three.
func (d Down) Known() bool { return d >= 0 && int(d) < len(Downs) }

// String is d as an operator types it.
func (d Down) String() string {
	if !d.Known() {
		return fmt.Sprintf("Down(%d)", int(d))
	}
	return Downs[d]
}
