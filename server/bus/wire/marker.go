package wire

// Marker is written behind subscriptions. A node that has it knows them, by NATS's order.
type Marker struct {
	ID uint64 `json:"id"`
}

func (*Marker) check() string { return "" }

// Marked is each node's answer to a marker.
type Marked struct {
	ID    uint64 `json:"id"`
	Place uint64 `json:"place"` // the last order that the node wrote before the answer
	// Nobody is the place of the last Notice of messages that none of the others got.
	Nobody uint64 `json:"nobody,omitempty"`
}

func (*Marked) check() string { return "" }
