package source

// Limits bound what one run may read, so that no input can exhaust the machine.
type Limits struct {
	FileBytes  int // of one file
	TotalBytes int // of all files
	Documents  int // of one file
	Depth      int // of nesting in one document
	Nodes      int // of one document after its aliases are followed
	Reads      int // of files and folders by one kustomization, each as often as it is referred to
}

// withDefaults fills in what is zero. A rendered chart of 10,000 services is
// about 25 MB; no hand-written document nests deeper than 30.
func (l Limits) withDefaults() Limits {
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	set(&l.FileBytes, 64<<20)
	set(&l.TotalBytes, 512<<20)
	set(&l.Documents, 200_000)
	set(&l.Depth, 100)
	set(&l.Nodes, 1_000_000)
	set(&l.Reads, 20_000)
	return l
}
