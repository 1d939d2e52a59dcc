package loop

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestHistogram against the sorted list of the values.
func TestHistogram(t *testing.T) {
	value := rapid.OneOf(rapid.Uint64Range(0, 20), rapid.Uint64Range(0, 1<<histogramMaxBits-1))
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(value, 1, 200).Draw(t, "values")
		earlier := rapid.SliceOfN(value, 0, 20).Draw(t, "earlier values")
		var h, before Histogram
		for _, v := range earlier {
			h.observe(v)
			before.observe(v)
		}
		for _, v := range list {
			h.observe(v)
		}
		both := h
		h.Sub(&before)
		again := h
		again.Add(&before)
		if again != both {
			t.Fatal("Add does not undo Sub")
		}
		slices.Sort(list)
		var sum uint64
		for _, v := range list {
			sum += v
		}
		if h.Count != uint64(len(list)) || h.Sum != sum {
			t.Fatalf("count %d, sum %d; want %d, %d", h.Count, h.Sum, len(list), sum)
		}
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		exact := list[int(q*float64(len(list)-1))]
		if got := h.Quantile(q); got < exact || got > exact+exact/4 {
			t.Fatalf("quantile %g is %d, exactly %d", q, got, exact)
		}
		exponent := rapid.IntRange(0, histogramMaxBits).Draw(t, "exponent")
		n, _ := slices.BinarySearch(list, 1<<exponent)
		if got := h.Below(exponent); got != uint64(n) {
			t.Fatalf("%d below 2^%d, want %d", got, exponent, n)
		}
	})
	var h Histogram
	if h.Quantile(0.5) != 0 {
		t.Error("a quantile of nothing is not 0")
	}
	h.observe(1 << 60) // beyond the last bucket: counted in it
	if h.Buckets[histogramBuckets-1] != 1 {
		t.Error("a value beyond the last bucket is lost")
	}
}

// TestSum: every field of the stats is added up.
func TestSum(t *testing.T) {
	var one ReactorStats
	fill(reflect.ValueOf(&one).Elem())
	total := Stats{Reactors: []ReactorStats{one, one, one}}.Sum()
	got, was := reflect.ValueOf(total), reflect.ValueOf(one)
	for i := range got.NumField() {
		name := got.Type().Field(i).Name
		want := 3
		if name[:3] == "Max" {
			want = 1
		}
		for path, n := range numbers(got.Field(i)) {
			if n != want*numbers(was.Field(i))[path] {
				t.Errorf("%s%s: %d, want %d times as much as one", name, path, n, want)
			}
		}
	}
}

// fill puts another number into every field.
func fill(v reflect.Value) {
	next := 0
	walk(v, "", func(_ string, v reflect.Value) {
		next++
		if v.CanInt() {
			v.SetInt(int64(next))
		} else {
			v.SetUint(uint64(next))
		}
	})
}

func numbers(v reflect.Value) map[string]int {
	list := make(map[string]int)
	walk(v, "", func(path string, v reflect.Value) {
		if v.CanInt() {
			list[path] = int(v.Int())
		} else {
			list[path] = int(v.Uint())
		}
	})
	return list
}

func walk(v reflect.Value, path string, leaf func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), path+"."+v.Type().Field(i).Name, leaf)
		}
	case reflect.Array:
		for i := range v.Len() {
			walk(v.Index(i), path+"[]"+string(rune('a'+i)), leaf)
		}
	default:
		leaf(path, v)
	}
}
