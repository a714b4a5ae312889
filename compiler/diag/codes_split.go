package diag

// splitCodes are MSH2xxx.
var splitCodes = []Entry{}
