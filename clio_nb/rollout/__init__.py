"""What every user of a firm should see: written down, compared with what is there, and made so."""
