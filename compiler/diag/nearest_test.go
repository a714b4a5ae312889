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
