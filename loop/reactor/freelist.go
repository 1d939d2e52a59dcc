package reactor

// freeList keeps values that are not in use, up to a number of them. What is put
// must be as good as new.
//
// Owner: the reactor's goroutine.
type freeList[T any] struct {
	free []*T
	max  int
}

// get returns a value that is not in use, a new one if there is none.
func (l *freeList[T]) get() *T {
	n := len(l.free)
	if n == 0 {
		return new(T)
	}
	v := l.free[n-1]
	l.free[n-1] = nil
	l.free = l.free[:n-1]
	return v
}

func (l *freeList[T]) put(v *T) {
	if len(l.free) < l.max {
		l.free = append(l.free, v)
	}
}
