package diag

import "testing"

// A wrong suggestion is worse than none: two letters of a short word, or two
// equally near words, give none.
func TestNearest(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"nmae", "name"}, {"backend", "backends"}, {"serviceAcountName", "serviceAccountName"},
		{"nome", "name"}, {"xy", ""}, {"bat", ""}, {"name", ""},
	} {
		if got := Nearest(c.name, []string{"name", "backends", "serviceAccountName", "cat", "rat", "name"}); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.name, got, c.want)
		}
	}
}

// What --fix writes without asking must be what everybody would have meant: another
// version's name is near, and would send calls, or grant them, elsewhere.
func TestACertainNameIsNoOtherVersionAndNotThereAlready(t *testing.T) {
	for _, c := range []struct {
		name, near string
		beside     []string
		want       bool
	}{
		{"byuer", "buyer", nil, true},
		{"byuer", "buyer", []string{"thief", "buyer"}, false},
		{"shop-v3", "shop-v2", nil, false},
		{"all-v2", "all-v1", nil, false},
		{"shopp-v2", "shop-v2", []string{"shop-v1"}, true},
		{"shop", "", nil, false},
	} {
		if got := Certain(c.name, c.near, c.beside...); got != c.want {
			t.Errorf("%q for %q beside %q: %v", c.near, c.name, c.beside, got)
		}
	}
}
