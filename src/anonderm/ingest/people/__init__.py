"""Who is shown: photos put together by the faces on them."""
