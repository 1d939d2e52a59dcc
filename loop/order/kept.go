package order

// Kept is what the broker keeps of one group for those who have asked for it.
type Kept struct {
	Since uint64 // the place in the order that was the last one when that began
	Last  uint64 // the place of the group's last message since then; 0 if there was none
}

// keepOrder is what a KindKeep asks for.
type keepOrder struct {
	forget bool
	reply  chan keepAnswer // capacity one
}

type keepAnswer struct {
	kept Kept
	err  error
}
