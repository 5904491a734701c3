# Two complete matrices of real people's responses to texts, from R packages, in the layout of `dataset=rating_matrix`:
#
#   Rscript benchmarks/text_matrices.R FOLDER
#
# senate      roll calls of the 109th United States Senate (2005 and 2006), from `pscl`: 99 senators, 484 motions. 1: voted yea; 0: did not.
# statements  the SAPA Personality Inventory, from `psychTools`: 4,000 people, 135 statements about oneself. 1 (very inaccurate) to 6.
#
# Writes senate.csv, senate_texts.csv, statements.csv and statements_texts.csv. Stops if what it wrote is not what docs/results/texts.md
# was measured on.

HASHES <- c(
  senate.csv = "63871fa95d5b8935b244c72e5f2b80f1", senate_texts.csv = "ad9c66e7926bfae80c61016b5c25b40e",
  statements.csv = "5824ae605fe005d40ca35272ba672778", statements_texts.csv = "9e08806682f3d07d1c7aa75f62799e4e"
)

# A vote with fewer than a tenth on the losing side says little about who is who.
SMALLEST_MINORITY <- 0.1
# Two senators shared a seat one after the other; the President is listed too.
LARGEST_ABSENCE <- 0.5

write_matrix <- function(folder, name, ratings, texts) {
  path <- function(suffix) file.path(folder, paste0(name, suffix, ".csv"))
  write.csv(data.frame(user = rownames(ratings), ratings, check.names = FALSE), path(""), row.names = FALSE, fileEncoding = "UTF-8")
  write.csv(data.frame(title = texts), path("_texts"), row.names = FALSE, fileEncoding = "UTF-8")
}

senate <- function(folder) {
  found <- new.env()
  data("s109", package = "pscl", envir = found)
  codes <- found$s109$codes
  yea <- matrix(found$s109$votes %in% codes$yea, nrow(found$s109$votes), dimnames = dimnames(found$s109$votes))
  nay <- matrix(found$s109$votes %in% codes$nay, nrow(found$s109$votes))
  present <- rowMeans(yea | nay) > 1 - LARGEST_ABSENCE
  share <- colSums(yea) / colSums(yea | nay)
  contested <- pmin(share, 1 - share) > SMALLEST_MINORITY
  about <- found$s109$vote.data[contested, ]
  write_matrix(folder, "senate", yea[present, contested] + 0, paste0(about$question, ". ", about$description))
}

statements <- function(folder) {
  found <- new.env()
  data(list = c("spi", "spi.dictionary"), package = "psychTools", envir = found)
  items <- grep("^q_", names(found$spi), value = TRUE)
  write_matrix(folder, "statements", as.matrix(found$spi[items]), found$spi.dictionary[items, "item"])
}

folder <- commandArgs(trailingOnly = TRUE)
if (length(folder) != 1) stop("usage: Rscript benchmarks/text_matrices.R FOLDER")
dir.create(folder, showWarnings = FALSE, recursive = TRUE)
senate(folder)
statements(folder)
written <- tools::md5sum(file.path(folder, names(HASHES)))
other <- names(HASHES)[written != HASHES]
if (length(other)) stop("not the data behind docs/results/texts.md: ", paste(other, collapse = ", "))
